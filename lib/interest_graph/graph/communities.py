"""Communities by modularity, and how good a partition is; NumPy and igraph, no Spark."""

from __future__ import annotations

import random

import igraph
import numpy as np

from interest_graph.graph.kernels import Adjacency, Floats, Ints, named_by_smallest


def leiden(graph: Adjacency, *, seed: int, resolution: float = 1.0) -> Ints:
    """Communities of high weighted modularity (Traag, Waltman and van Eck 2019), to convergence.

    A community is named by its smallest vertex; vertices without edges are communities of one.
    """
    strengths = graph.strengths
    if not strengths.sum():
        return np.arange(graph.n_vertices)
    # igraph draws from this generator; a fixed seed makes a retried task agree with the first.
    igraph.set_random_number_generator(random.Random(seed))
    # With these vertex weights the Potts objective is modularity, self-loops included.
    found = graph.as_igraph().community_leiden(
        objective_function="CPM",
        weights="weight",
        node_weights=list(strengths),
        resolution=resolution / strengths.sum(),
        n_iterations=-1,
    )
    return named_by_smallest(np.asarray(found.membership, dtype=np.int64))


def modularity(graph: Adjacency, labels: Ints) -> float:
    """Share of weight within communities beyond what their vertices' weights would give by chance.

    Newman 2004; 0 for one community of everything, at most 1.
    """
    strength = graph.strengths
    total = strength.sum()
    if total == 0:
        return 0.0
    _, community = np.unique(labels, return_inverse=True)
    inside = graph.weights.data[community[graph.owners] == community[graph.weights.indices]].sum()
    inside += 2.0 * graph.loops.sum()
    return float(inside / total - ((np.bincount(community, strength) / total) ** 2).sum())


def triangles(graph: Adjacency) -> tuple[Ints, Floats]:
    """Triangles at each vertex, and the share of its pairs of neighbours that are joined."""
    clustering = np.asarray(graph.as_igraph().transitivity_local_undirected(mode="zero"))
    pairs = graph.degrees * (graph.degrees - 1) / 2
    return np.rint(clustering * pairs).astype(np.int64), clustering
