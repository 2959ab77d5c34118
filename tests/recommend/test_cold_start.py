"""Popular items for users without a history."""

from __future__ import annotations

from interest_graph.recommend.cold_start import find_cold_users, rank_popular
from interest_graph.recommend.topk import HISTORY_COLUMNS, gather_histories

EDGES = "user_id STRING, item_id STRING, weight DOUBLE"
USERS = "user_id STRING, attributes MAP<STRING, STRING>"


def test_cold_users_are_those_known_elsewhere_with_what_they_met(spark):
    histories = spark.createDataFrame([("warm", ["a"], [1.0])], HISTORY_COLUMNS)
    users = spark.createDataFrame([("warm", {}), ("new", {})], USERS)
    met = [("warm", "b"), ("pruned", "c"), ("pruned", "a"), ("pruned", "c")]
    interactions = spark.createDataFrame(met, "user_id STRING, item_id STRING")

    cold = find_cold_users(histories, users=users, interactions=interactions)

    rows = sorted(tuple(row) for row in cold.collect())
    assert rows == [("new", [], []), ("pruned", ["a", "c"], [1.0, 1.0])]


def test_without_other_tables_nobody_is_cold(spark):
    histories = spark.createDataFrame([("warm", ["a"], [1.0])], HISTORY_COLUMNS)

    assert find_cold_users(histories, users=None, interactions=None).count() == 0


def test_popular_items_are_ranked_without_those_met(spark):
    edges = [("u1", "a", 1.0), ("u2", "a", 2.0), ("u1", "b", 3.0), ("u2", "c", 5.0)]
    cold = [("new", [], []), ("pruned", ["c", "gone"], [1.0, 1.0])]

    ranked = rank_popular(
        spark.createDataFrame(cold, HISTORY_COLUMNS), spark.createDataFrame(edges, EDGES), k=2
    )

    rows = sorted(tuple(row) for row in ranked.collect())
    expected = [("new", 1, "c", 5.0), ("new", 2, "a", 3.0)]  # a before b: the smaller id
    assert rows == [*expected, ("pruned", 1, "a", 3.0), ("pruned", 2, "b", 3.0)]


def test_histories_are_ordered_by_item(spark):
    edges = spark.createDataFrame([("u", "b", 2.0), ("u", "a", 1.0)], EDGES)

    assert [tuple(row) for row in gather_histories(edges).collect()] == [
        ("u", ["a", "b"], [1.0, 2.0])
    ]
