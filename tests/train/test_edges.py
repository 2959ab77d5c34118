"""Edges held out for validation."""

from __future__ import annotations

from pyspark.sql import functions as F

from interest_graph.train.edges import hold_out_edges


def edges_of(spark, sizes):
    """Users u0, u1, ... with so many edges each."""
    rows = [(f"u{user}", f"i{item}", 1.0) for user, n in enumerate(sizes) for item in range(n)]
    return spark.createDataFrame(rows, "user_id STRING, item_id STRING, weight DOUBLE")


def counts_of(frame):
    return {row.user_id: row["count"] for row in frame.groupBy("user_id").count().collect()}


def test_every_user_with_five_edges_gives_at_least_one(spark):
    edges = edges_of(spark, [5] * 30 + [200] * 10)

    kept, held_out = hold_out_edges(edges, 0.05, seed=3)
    counts = counts_of(held_out)

    assert all(counts[f"u{user}"] == 1 for user in range(30))
    assert all(counts[f"u{user}"] in (10, 11) for user in range(30, 40))
    assert kept.columns == held_out.columns == edges.columns
    assert kept.count() + held_out.count() == edges.count()


def test_users_with_few_edges_give_the_share_on_average(spark):
    _, held_out = hold_out_edges(edges_of(spark, [2] * 1000), 0.1, seed=3)

    counts = counts_of(held_out)

    assert set(counts.values()) == {1}
    assert abs(len(counts) - 200) < 60  # more than four standard deviations of a binomial


def test_users_of_the_same_items_give_different_ones(spark):
    _, held_out = hold_out_edges(edges_of(spark, [10] * 200), 0.1, seed=3)

    given = {row.item_id: row["count"] for row in held_out.groupBy("item_id").count().collect()}

    assert len(given) == 10
    assert max(given.values()) < 60  # 20 expected of each


def test_partitioning_changes_nothing_and_the_seed_does(spark):
    edges = edges_of(spark, [40] * 20)

    def pairs_of(frame, seed):
        _, held_out = hold_out_edges(frame, 0.1, seed)
        return {tuple(row) for row in held_out.select("user_id", "item_id").collect()}

    first = pairs_of(edges.repartition(5), 1)
    assert first == pairs_of(edges.orderBy(F.desc("item_id")).coalesce(1), 1)
    assert first != pairs_of(edges, 2)
