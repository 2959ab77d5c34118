"""Which edges are dropped."""

from __future__ import annotations

from interest_graph.graph.prune import clean_edges, drop_light_edges, keep_heaviest_edges


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
