"""Personal ranks, hops and what follows what."""

from __future__ import annotations

from datetime import datetime, timedelta

import networkx as nx
import pytest

from interest_graph.config import GraphConfig
from interest_graph.errors import DataError
from interest_graph.graph.paths import followed_by, hops_to, personal_ranks

STRUCTURE = {"rank_tolerance": 1e-10, "max_rank_rounds": 8}
ENDS = [("a", "b", 2.0), ("b", "c", 1.0), ("c", "a", 1.0), ("c", "d", 3.0), ("x", "y", 1.0)]


def _config(engine):
    return GraphConfig(structure={"engine": engine, **STRUCTURE})


def _ranks(edges, engine):
    rows = personal_ranks(edges(*ENDS), ["a"], _config(engine)).collect()
    return {row.id: row["rank"] for row in rows}


def test_personal_ranks_of_both_engines_agree(edges):
    by_kernel = _ranks(edges, "kernel")

    assert _ranks(edges, "graphframes") == pytest.approx(by_kernel, abs=1e-12)
    assert by_kernel["x"] == 0.0


def test_personal_ranks_equal_networkx(edges):
    config = GraphConfig(
        structure={"engine": "kernel", "rank_tolerance": 1e-12, "max_rank_rounds": 500}
    )
    graph = nx.Graph()
    graph.add_weighted_edges_from(ENDS)

    rows = personal_ranks(edges(*ENDS), ["a", "d"], config).collect()

    expected = nx.pagerank(graph, personalization={"a": 1, "d": 1}, tol=1e-12, max_iter=999)
    assert {row.id: row["rank"] for row in rows} == pytest.approx(expected, abs=1e-9)


def test_hops_of_both_engines_equal_breadth_first_search(edges):
    graph = nx.Graph([ends[:2] for ends in ENDS])
    expected = {
        (v, m): n
        for m in ("a", "y")
        for v, n in nx.single_source_shortest_path_length(graph, m).items()
    }

    for engine in ("kernel", "graphframes"):
        rows = hops_to(edges(*ENDS), ["a", "y"], _config(engine)).collect()
        assert {(row.id, row.landmark): row.hops for row in rows} == expected


def test_an_unknown_vertex_is_named(edges):
    with pytest.raises(DataError, match="nobody"):
        personal_ranks(edges(*ENDS), ["a", "nobody"], _config("kernel"))


def test_items_bought_later_are_counted_in_order(spark):
    start = datetime(2024, 1, 1)
    bought = {
        ("u", "A"): 0,
        ("u", "B"): 1,
        ("v", "A"): 0,
        ("v", "B"): 2,
        ("w", "B"): 0,
        ("w", "A"): 5,
    }
    rows = [(u, i, 1.0, start + timedelta(days=day)) for (u, i), day in bought.items()]
    graph = spark.createDataFrame(rows, "src STRING, dst STRING, weight DOUBLE, first_ts TIMESTAMP")

    found = followed_by(graph, k=5, max_items_per_user=10).collect()

    shares = {(row.src, row.dst): (row.n_users, row.share) for row in found}
    assert shares == {("A", "B"): (2, pytest.approx(2 / 3)), ("B", "A"): (1, pytest.approx(1 / 3))}
