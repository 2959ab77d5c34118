"""Communities, modularity and triangles against networkx."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
from sklearn.metrics import normalized_mutual_info_score

from interest_graph.graph import local_algorithms


def adjacency_of(graph):
    ends = np.array(list(graph.edges())).reshape(-1, 2)
    weights = np.array([d.get("weight", 1.0) for *_, d in graph.edges(data=True)])
    return local_algorithms.build_adjacency(ends[:, 0], ends[:, 1], weights, len(graph))


def planted_partition(mixing, n_groups=8, size=40, degree=16, seed=3):
    """A graph whose vertices have the share `mixing` of their edges outside their group."""
    inside = degree * (1 - mixing) / (size - 1)
    outside = degree * mixing / (size * (n_groups - 1))
    return nx.planted_partition_graph(n_groups, size, inside, outside, seed=seed)


@pytest.mark.parametrize("seed", range(20))
def test_triangles_and_modularity_equal_networkx_on_random_graphs(seed):
    graph = nx.gnp_random_graph(30, 0.15, seed=seed)
    for _, _, data in graph.edges(data=True):
        data["weight"] = 1.0 + data.get("weight", 0.0) + seed / 7
    ours = adjacency_of(graph)

    counts, clustering = local_algorithms.triangles(ours)
    labels = local_algorithms.leiden(ours, seed=seed)

    groups = [set(np.flatnonzero(labels == label)) for label in set(labels)]
    assert counts.tolist() == [nx.triangles(graph, v) for v in graph]
    assert clustering == pytest.approx([nx.clustering(graph, v) for v in graph])
    assert local_algorithms.modularity(ours, labels) == pytest.approx(
        nx.community.modularity(graph, groups)
    )
    assert all(label in group for label, group in zip(sorted(set(labels)), groups, strict=False))


@pytest.mark.parametrize("find", ["leiden", "labels"])
def test_planted_groups_are_found_at_mixing_one_fifth(find):
    graph = adjacency_of(planted_partition(mixing=0.2))
    truth = np.repeat(np.arange(8), 40)

    found = {
        "leiden": lambda: local_algorithms.leiden(graph, seed=1),
        "labels": lambda: local_algorithms.propagate_labels(graph, rounds=60),
    }[find]()

    assert normalized_mutual_info_score(truth, found) >= 0.8


def test_leiden_is_at_least_as_good_as_networkx_louvain():
    graph = nx.karate_club_graph()

    ours = local_algorithms.modularity(
        adjacency_of(graph), local_algorithms.leiden(adjacency_of(graph), seed=0)
    )

    louvain = nx.community.louvain_communities(graph, seed=0)
    assert ours >= nx.community.modularity(graph, louvain) - 1e-9


def test_leiden_of_a_contracted_graph_counts_what_is_inside():
    """Two heavy groups joined by a light edge must not merge when they are single vertices."""
    ends = np.array([[0, 0], [1, 1], [0, 1]])
    graph = local_algorithms.build_adjacency(ends[:, 0], ends[:, 1], np.array([9.0, 9.0, 1.0]), 2)

    assert local_algorithms.leiden(graph, seed=0).tolist() == [0, 1]


def test_same_seed_gives_the_same_communities():
    graph = adjacency_of(nx.gnp_random_graph(80, 0.08, seed=2))

    assert np.array_equal(
        local_algorithms.leiden(graph, seed=5), local_algorithms.leiden(graph, seed=5)
    )


def test_spanning_forest_connects_by_the_heaviest_edges():
    graph = nx.gnp_random_graph(40, 0.08, seed=4)
    for number, (_, _, data) in enumerate(graph.edges(data=True)):
        data["weight"] = 1.0 + number % 7
    ours = adjacency_of(graph)

    low, high = local_algorithms.spanning_forest(ours)

    theirs = nx.maximum_spanning_tree(graph)
    weight = sum(graph.edges[a, b]["weight"] for a, b in zip(low, high, strict=True))
    assert len(low) == theirs.number_of_edges()
    assert weight == theirs.size(weight="weight")
