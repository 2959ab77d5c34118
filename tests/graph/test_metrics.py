"""Degree distributions and what a bound on them leaves out."""

from __future__ import annotations

from interest_graph.graph.metrics import degrees_of, effect_of_bound


def test_degrees_are_counted_by_powers_of_two(spark):
    ends = [("u:1", f"i:{n}") for n in range(5)] + [("u:2", "i:0"), ("u:3", "i:0")]
    rows = [(src, dst, "user_item") for src, dst in ends] + [("u:1", "u:2", "social")]

    found = degrees_of(spark.createDataFrame(rows, "src STRING, dst STRING, kind STRING"))

    assert found == {
        "degree.user.mean": 7 / 3,
        "degree.user.max": 5,
        "degree.user.from_1": 2,
        "degree.user.from_4": 1,
        "degree.item.mean": 7 / 5,
        "degree.item.max": 3,
        "degree.item.from_1": 4,
        "degree.item.from_2": 1,
    }


def test_a_bound_costs_the_pairs_of_whom_it_hits(edges):
    graph = edges(*[("u", str(n), 1.0) for n in range(5)], ("v", "0", 1.0), ("v", "1", 1.0))

    found = effect_of_bound(graph, max_items=3)

    assert found == {
        "projection.bounded_users": 1.0,
        "projection.pairs_kept_fraction": (3 * 2 + 2) / (5 * 4 + 2),
    }
