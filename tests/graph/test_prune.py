"""Which edges are dropped."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from pyspark.sql import functions as F

from interest_graph.config import GraphConfig
from interest_graph.errors import DataError
from interest_graph.graph.build import prune_edges
from interest_graph.graph.prune import (
    clean_edges,
    drop_light_edges,
    drop_minor_edges,
    drop_old_edges,
    keep_connected,
    keep_core,
    keep_heaviest_edges,
    with_p_values,
)

AS_OF = datetime(2024, 1, 31, tzinfo=UTC)


def _ends(frame):
    return sorted((row.src, row.dst) for row in frame.collect())


def test_threshold_keeps_exactly_four_of_seven_edges(edges):
    graph = edges(
        ("1", "101", 0.8), ("1", "102", 0.6), ("1", "103", 0.4), ("2", "101", 0.3),
        ("2", "201", 0.7), ("3", "301", 0.9), ("3", "302", 0.2),
    )  # fmt: skip

    kept = drop_light_edges(graph, min_weight=0.5)

    assert _ends(kept) == [("1", "101"), ("1", "102"), ("2", "201"), ("3", "301")]


def test_heaviest_edges_are_kept_and_ties_go_to_the_smaller_id(edges):
    graph = edges(("u", "c", 2.0), ("u", "b", 2.0), ("u", "a", 1.0), ("v", "a", 0.1))

    assert _ends(keep_heaviest_edges(graph, per_vertex=1)) == [("u", "b"), ("v", "a")]


def test_heaviest_edges_can_be_kept_per_item(edges):
    graph = edges(("u", "a", 2.0), ("v", "a", 3.0), ("u", "b", 1.0))

    assert _ends(keep_heaviest_edges(graph, per_vertex=1, end="dst")) == [("u", "b"), ("v", "a")]


def test_loops_go_and_duplicates_are_merged(spark):
    columns = """
        src STRING, dst STRING, kind STRING, weight DOUBLE, n_events BIGINT,
        first_ts TIMESTAMP, last_ts TIMESTAMP"""
    rows = [
        ("u", "u", "social", 1.0, 0),
        ("u", "v", "social", 1.0, 2),
        ("u", "v", "social", 0.5, 3),
    ]
    graph = spark.createDataFrame([(*row, None, None) for row in rows], columns)

    merged = clean_edges(graph).collect()

    assert [(row.src, row.dst, row.weight, row.n_events) for row in merged] == [("u", "v", 1.5, 5)]


def test_edges_light_for_their_user_go(edges):
    graph = edges(("u", "a", 10.0), ("u", "b", 1.0), ("v", "a", 0.1))

    assert _ends(drop_minor_edges(graph, min_share=0.2)) == [("u", "a"), ("v", "a")]


def test_edges_without_a_recent_event_go(edges):
    graph = edges(("u", "a", 1.0), ("u", "b", 1.0))
    ages = F.when(F.col("dst") == "a", F.lit(AS_OF - timedelta(days=9))).otherwise(F.lit(AS_OF))
    dated = graph.withColumn("last_ts", ages)

    assert _ends(drop_old_edges(dated, as_of=AS_OF, max_age_days=8.9)) == [("u", "b")]


def test_p_value_is_the_smaller_of_both_ends(edges):
    graph = edges(("u", "a", 8.0), ("u", "b", 1.0), ("u", "c", 1.0), ("v", "b", 9.0))

    rows = {(r.src, r.dst): r.p_value for r in with_p_values(graph).collect()}

    assert rows["u", "a"] == pytest.approx((1 - 0.8) ** 2)
    assert rows["u", "b"] == pytest.approx((1 - 0.1) ** 2)  # at b: 1 - 0.1
    assert rows["v", "b"] == pytest.approx(1 - 0.9)  # v has one edge, and no say


def test_rules_combine_and_connections_can_be_kept(edges):
    weights = {("u", "a"): 9.0, ("u", "b"): 8.0, ("v", "b"): 0.1, ("v", "c"): 0.2, ("u", "c"): 0.3}
    graph = edges(*[(*ends, weight) for ends, weight in weights.items()]).withColumn(
        "last_ts", F.lit(AS_OF)
    )

    def kept(**prune):
        config = GraphConfig(min_weight=1.0, edges_per_user=1, prune=prune)
        return _ends(prune_edges(graph, as_of=AS_OF, config=config))

    assert kept() == [("u", "a")]
    assert kept(keep_connected=True) == [("u", "a"), ("u", "b"), ("u", "c"), ("v", "c")]


def test_vertices_outside_the_core_go(edges):
    square = [("u", "a", 1.0), ("u", "b", 1.0), ("v", "a", 1.0), ("v", "b", 1.0)]
    config = GraphConfig(prune={"min_core": 2})

    core = keep_core(edges(*square, ("v", "tail", 9.0)), config=config)

    assert _ends(core) == sorted((src, dst) for src, dst, _ in square)


def test_keeping_connections_of_a_graph_beyond_one_worker_is_refused(edges):
    config = GraphConfig(structure={"engine": "graphframes"})
    graph = edges(("u", "a", 1.0))

    with pytest.raises(DataError, match="worker_mb"):
        keep_connected(graph, graph, config)
