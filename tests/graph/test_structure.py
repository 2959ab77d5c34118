"""Structure by both engines, against networkx."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import normalized_mutual_info_score

from interest_graph.config import GraphConfig
from interest_graph.errors import DataError
from interest_graph.graph import local_algorithms
from interest_graph.graph.structure import check_components, describe
from interest_graph.graph.vertices import with_dense_ids

TRIANGLE_WITH_TAIL = [(0, 1), (1, 2), (2, 0), (2, 3), (3, 4)]
FIVE_ROUNDS = {"rank_tolerance": 1e-9, "max_rank_rounds": 5, "label_rounds": 5}


def _config(engine):
    return GraphConfig(structure={"engine": engine, **FIVE_ROUNDS})


def _random_graph(seed, n=40, p=0.06):
    graph = nx.gnp_random_graph(n, p, seed=seed)
    random = np.random.default_rng(seed)
    for *_, attributes in graph.edges(data=True):
        attributes["weight"] = float(random.integers(1, 16)) / 8  # sums of eighths are exact
    return graph


def _adjacency(graph):
    ends = np.array(list(graph.edges())).reshape(-1, 2)
    weights = np.array([d.get("weight", 1.0) for *_, d in graph.edges(data=True)])
    return local_algorithms.build_adjacency(ends[:, 0], ends[:, 1], weights, len(graph))


def _ranks(graph, *, weighted):
    return local_algorithms.pagerank(
        graph, damping=0.85, tolerance=1e-12, max_rounds=500, weighted=weighted
    )


def _as_array(by_vertex):
    return np.array([by_vertex[v] for v in sorted(by_vertex)])


@pytest.mark.parametrize("seed", range(20))
def test_kernels_equal_networkx_on_random_graphs(seed):
    graph = _random_graph(seed)
    ours = _adjacency(graph)

    smallest = {v: min(part) for part in nx.connected_components(graph) for v in part}
    assert np.array_equal(local_algorithms.components(ours), _as_array(smallest))
    assert np.array_equal(local_algorithms.core_numbers(ours), _as_array(nx.core_number(graph)))
    for weighted in (False, True):
        theirs = nx.pagerank(graph, weight="weight" if weighted else None, tol=1e-13, max_iter=1000)
        assert _ranks(ours, weighted=weighted) == pytest.approx(_as_array(theirs), abs=1e-9)


def test_labels_stay_within_components_and_settle():
    graph = _adjacency(_random_graph(1))

    labels = local_algorithms.propagate_labels(graph, rounds=50)

    component = local_algorithms.components(graph)
    assert np.array_equal(component[labels], component)
    assert np.array_equal(labels, labels[labels])  # a community is named by a member


def test_labels_do_not_swap_sides_of_a_bipartite_graph():
    graph = _adjacency(nx.disjoint_union_all([nx.complete_bipartite_graph(4, 5)] * 3))

    assert len(set(local_algorithms.propagate_labels(graph, rounds=30))) == 3


def test_engines_agree_on_twenty_random_graphs_at_once(spark):
    random = [_random_graph(seed, n=12, p=0.15) for seed in range(20)]
    graph = nx.disjoint_union_all([*random, nx.Graph(TRIANGLE_WITH_TAIL)])
    rows = [(f"v{a:03}", f"v{b:03}", d.get("weight", 1.0)) for a, b, d in graph.edges(data=True)]
    edges = spark.createDataFrame(rows, "src STRING, dst STRING, weight DOUBLE")

    by_kernel, by_frames = (
        describe(edges, _config(engine)).toPandas().set_index("id").sort_index()
        for engine in ("kernel", "graphframes")
    )

    # Leiden draws at random, and starts from coarser vertices in the second engine.
    leiden = [frame.pop("modularity_community") for frame in (by_kernel, by_frames)]
    pd.testing.assert_frame_equal(by_frames, by_kernel, atol=1e-12, check_like=True)
    assert _modularity(graph, leiden[1]) >= _modularity(graph, by_frames["community"])
    assert _modularity(graph, leiden[0]) >= _modularity(graph, leiden[1]) - 0.05
    # GraphFrames 0.10.0 takes the degrees for core numbers: 3, 2, 2, 2, 1.
    assert by_frames["core_number"].tail(5).tolist() == [2, 2, 2, 1, 1]


@pytest.mark.parametrize("column", ["community", "modularity_community"])
def test_planted_groups_are_in_the_column(spark, column):
    graph = nx.planted_partition_graph(6, 30, p_in=0.8, p_out=0.005, seed=3)
    rows = [(f"v{a:03}", f"v{b:03}", 1.0) for a, b in graph.edges()]
    edges = spark.createDataFrame(rows, "src STRING, dst STRING, weight DOUBLE")

    found = describe(edges, _config("kernel")).select("id", column).toPandas().set_index("id")

    truth = [graph.nodes[int(name[1:])]["block"] for name in found.index]
    assert normalized_mutual_info_score(truth, found[column]) > 0.95


def _modularity(graph, labels):
    groups = [{int(name[1:]) for name in part.index} for _, part in labels.groupby(labels)]
    return nx.community.modularity(graph.subgraph(set().union(*groups)), groups)


def test_torn_component_is_found(spark, edges):
    graph = edges(("a", "b", 1.0), ("b", "c", 1.0))
    wrong = spark.createDataFrame([("a", 0), ("b", 0), ("c", 2)], "id STRING, component BIGINT")

    with pytest.raises(DataError, match="b-c"):
        check_components(graph, wrong)


def test_dense_ids_are_ranks_whatever_the_partitioning(spark):
    names = [f"n{n}" for n in range(200)]
    frame = spark.createDataFrame([(name,) for name in names], "id STRING")

    for partitions in (1, 5):
        numbered = with_dense_ids(frame.repartition(partitions)).collect()
        assert {row["id"]: row["index"] for row in numbered} == {
            n: k for k, n in enumerate(sorted(names))
        }
