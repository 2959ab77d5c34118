"""What changed between two graphs."""

from __future__ import annotations

from interest_graph.graph.versions import diff_communities, diff_edges

EDGE = "src STRING, dst STRING, kind STRING, weight DOUBLE"


def test_edges_are_new_gone_stronger_or_weaker(spark):
    old = {"kept": 1.0, "gone": 1.0, "stronger": 1.0, "weaker": 1.0, "nearly": 1.0}
    new = {"kept": 1.0, "new": 1.0, "stronger": 1.2, "weaker": 0.5, "nearly": 1.005}
    before, after = (
        spark.createDataFrame([("u", dst, "user_item", w) for dst, w in graph.items()], EDGE)
        for graph in (old, new)
    )

    changes = {row.dst: row.change for row in diff_edges(before, after).collect()}

    assert changes == {name: name for name in ("new", "gone", "stronger", "weaker")}


def test_communities_that_split_or_merged_are_named(spark):
    # 1 splits into 10 and 11; 2 and 3 merge into 20; 4 loses a single vertex to 20.
    moves = {(1, 10): 5, (1, 11): 5, (2, 20): 6, (3, 20): 6, (4, 40): 9, (4, 20): 1}
    rows = [(f"{a}-{b}-{n}", a, b) for (a, b), size in moves.items() for n in range(size)]
    old = spark.createDataFrame([(name, a) for name, a, _ in rows], "id STRING, community BIGINT")
    new = spark.createDataFrame([(name, b) for name, _, b in rows], "id STRING, community BIGINT")

    found = diff_communities(old, new).collect()

    assert {(r.change, r.community, tuple(r.parts)) for r in found} == {
        ("split", 1, (10, 11)),
        ("merged", 20, (2, 3)),
    }
