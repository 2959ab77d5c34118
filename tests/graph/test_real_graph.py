"""Kernels on a real graph against networkx and igraph, and the projection against SciPy.

The data is not part of the project: INTEREST_GRAPH_DATA names the folder (default: data/).
"""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import networkx as nx
import numpy as np
import pandas as pd
import pytest

from interest_graph.config import GraphConfig
from interest_graph.graph import local_algorithms
from interest_graph.graph.project import project
from interest_graph.graph.structure import describe

FRIENDS = 0.5  # weight of a friendship; plays weigh 1 or more
ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("INTEREST_GRAPH_DATA", ROOT / "data"))


def lines_of(name):
    path = DATA / name
    if not path.exists():
        pytest.skip(f"no data at {path}; INTEREST_GRAPH_DATA names the folder that holds it")
    return gzip.decompress(path.read_bytes()).decode().splitlines()


@pytest.fixture(scope="module")
def lastfm():
    """Last.fm: 1,892 users, their friends, and the artists that they played, by log of plays."""
    plays = [line.split("\t") for line in lines_of("lastfm-hetrec/user_artists.dat.gz")[1:]]
    friends = [line.split("\t") for line in lines_of("lastfm-hetrec/user_friends.dat.gz")[1:]]
    graph = nx.Graph()
    for user, artist, n_plays in plays:
        graph.add_edge(f"u:{user}", f"i:{artist}", weight=1.0 + np.log2(float(n_plays)))
    graph.add_edges_from(((f"u:{a}", f"u:{b}") for a, b, *_ in friends), weight=FRIENDS)
    return nx.convert_node_labels_to_integers(graph, ordering="sorted")


@pytest.fixture(scope="module")
def ours(lastfm):
    return adjacency_of(lastfm)


def adjacency_of(graph):
    src, dst, weight = (
        np.array(column) for column in zip(*graph.edges(data="weight"), strict=True)
    )
    return local_algorithms.build_adjacency(src, dst, weight, len(graph))


def as_array(by_vertex):
    return np.array([by_vertex[vertex] for vertex in sorted(by_vertex)])


def test_components_of_friends_equal_networkx(lastfm):
    friends = [(a, b, edge) for a, b, edge in lastfm.edges(data=True) if edge["weight"] == FRIENDS]
    graph = nx.convert_node_labels_to_integers(nx.Graph(friends))
    smallest = {v: min(part) for part in nx.connected_components(graph) for v in part}

    assert len(set(smallest.values())) > 10
    assert np.array_equal(local_algorithms.components(adjacency_of(graph)), as_array(smallest))


def test_core_numbers_equal_networkx(lastfm, ours):
    assert np.array_equal(local_algorithms.core_numbers(ours), as_array(nx.core_number(lastfm)))


@pytest.mark.parametrize("weighted", [False, True])
def test_ranks_equal_networkx(lastfm, ours, weighted):
    found = local_algorithms.pagerank(
        ours, damping=0.85, tolerance=1e-12, max_rounds=500, weighted=weighted
    )

    weight = "weight" if weighted else None
    expected = nx.pagerank(lastfm, weight=weight, tol=1e-16, max_iter=500)
    assert found == pytest.approx(as_array(expected), abs=1e-10)
    assert found.sum() == pytest.approx(1.0)


def test_triangles_and_clustering_equal_networkx(lastfm, ours):
    counts, clustering = local_algorithms.triangles(ours)

    assert counts.sum() > 10_000
    assert np.array_equal(counts, as_array(nx.triangles(lastfm)))
    assert clustering == pytest.approx(as_array(nx.clustering(lastfm)), abs=1e-12)


def test_settled_labels_are_those_of_most_weight_around(lastfm, ours):
    labels = local_algorithms.propagate_labels(ours, rounds=200)

    component = local_algorithms.components(ours)
    assert np.array_equal(component[labels], component)
    assert 1 < len(set(labels.tolist())) < len(lastfm) / 10
    assert local_algorithms.modularity(ours, labels) == pytest.approx(
        ours.as_igraph().modularity(labels.tolist(), weights="weight")
    )
    for vertex, around in lastfm.adjacency():
        votes = dict.fromkeys({labels[other] for other in around}, 0.0)
        for other, edge in around.items():
            votes[labels[other]] += edge["weight"]
        assert votes[labels[vertex]] == pytest.approx(max(votes.values()))


def test_leiden_is_as_good_as_louvain(lastfm, ours):
    labels = local_algorithms.leiden(ours, seed=1)

    louvain = lastfm_louvain(ours)
    assert local_algorithms.modularity(ours, labels) >= louvain - 0.005


def lastfm_louvain(ours):
    graph = ours.as_igraph()
    return graph.community_multilevel(weights="weight").modularity


def test_both_engines_describe_the_friends_alike(spark, lastfm):
    friends = [
        (f"v{a:05}", f"v{b:05}", weight)
        for a, b, weight in lastfm.edges(data="weight")
        if weight == FRIENDS
    ]
    edges = spark.createDataFrame(friends, "src STRING, dst STRING, weight DOUBLE")
    rounds = {"rank_tolerance": 1e-9, "max_rank_rounds": 5, "label_rounds": 5}

    kernel, frames = (
        describe(edges, GraphConfig(structure={"engine": engine, **rounds})).toPandas()
        for engine in ("kernel", "graphframes")
    )

    kernel, frames = (
        found.drop(columns="modularity_community").set_index("id").sort_index()
        for found in (kernel, frames)
    )
    assert len(kernel) == len({end for a, b, _ in friends for end in (a, b)})
    pd.testing.assert_frame_equal(frames, kernel, atol=1e-12, check_like=True)


def test_projection_of_gowalla_is_the_exact_top_100(spark):
    """A fixed sample of users: all of them take minutes (tests/benchmarks/pruning.py)."""
    rows = [line.split() for line in lines_of("gowalla-lightgcn/train.txt.gz")][::60]
    pairs = np.array([(int(user), int(item)) for user, *items in rows for item in items])
    users, items = (np.unique(column, return_inverse=True) for column in pairs.T)
    named = [(f"u:{u}", f"i:{i:06}", 1.0) for u, i in pairs.tolist()]
    edges = spark.createDataFrame(named, "src STRING, dst STRING, weight DOUBLE")

    found = project(edges, GraphConfig(neighbours_per_item=100)).toPandas()

    expected = top_100(users[1], items[1])
    numbers = {f"i:{item:06}": place for place, item in enumerate(items[0])}
    got = {
        (numbers[src], numbers[dst]): weight
        for src, dst, weight in found[["src", "dst", "weight"]].itertuples(index=False)
    }
    assert got == expected


def top_100(users, items):
    """(item, item) -> cosine, by one sparse product; ties go to the smaller item."""
    from scipy import sparse

    touched = sparse.csr_array((np.ones(len(users)), (users, items)))
    sizes, shared = touched.sum(axis=0), (touched.T @ touched).tocsr()
    best = {}
    for row in range(shared.shape[0]):
        columns = shared.indices[shared.indptr[row] : shared.indptr[row + 1]]
        counts = shared.data[shared.indptr[row] : shared.indptr[row + 1]]
        cosine = counts / np.sqrt(sizes[row] * sizes[columns])
        order = [p for p in np.lexsort((columns, -cosine)) if columns[p] != row][:100]
        best |= {(row, int(columns[p])): cosine[p] for p in order}
    return best
