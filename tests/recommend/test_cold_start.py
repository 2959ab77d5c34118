"""Popular items for users without a history."""

from __future__ import annotations

from interest_graph.recommend.cold_start import gather_all_histories, rank_popular
from interest_graph.recommend.topk import HISTORY_COLUMNS, gather_histories

EDGES = "user_id STRING, item_id STRING, weight DOUBLE"
USERS = "user_id STRING, attributes MAP<STRING, STRING>"


def test_histories_hold_every_known_user_and_all_that_they_met(spark):
    edges = spark.createDataFrame([("warm", "a", 2.0)], EDGES)
    users = spark.createDataFrame([("warm", {}), ("new", {})], USERS)
    met = [("warm", "b"), ("warm", "a"), ("pruned", "c"), ("pruned", "a"), ("pruned", "c")]
    interactions = spark.createDataFrame(met, "user_id STRING, item_id STRING")

    histories = gather_all_histories(edges, users=users, interactions=interactions)

    rows = sorted(tuple(row) for row in histories.collect())
    pruned = ("pruned", ["a", "c"], [0.0, 0.0])
    assert rows == [("new", [], []), pruned, ("warm", ["a", "b"], [2.0, 0.0])]


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
