"""Graph algorithms for a graph that fits one worker: NumPy, SciPy and igraph, no Spark.

Vertices are numbered from 0. distributed_algorithms has the same for graphs of any size; both give
equal results, and ties are decided in the same way.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

import igraph
import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.sparse import csgraph

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

_TIE_DIGITS = 9  # sums of weights that agree to so many decimals are a tie
_STILL_ROUNDS = 4  # rounds without a change after which label propagation ends


@dataclass(frozen=True)
class Adjacency:
    """An undirected weighted graph.

    weights: float64[vertices, vertices], symmetric, without self-loops; parallel edges are added
    up. loops: float64[vertices], weights of the self-loops.
    """

    weights: sparse.csr_array
    loops: Floats

    @property
    def n_vertices(self) -> int:
        """Number of vertices."""
        return int(self.weights.shape[0])

    @property
    def degrees(self) -> Ints:
        """Number of neighbours of each vertex; int64[vertices]."""
        return np.asarray(np.diff(self.weights.indptr), dtype=np.int64)

    @property
    def strengths(self) -> Floats:
        """Weighted degree of each vertex, self-loops counted twice; float64[vertices]."""
        return np.asarray(self.weights.sum(axis=1)).ravel() + 2.0 * self.loops

    @property
    def owners(self) -> Ints:
        """Row number of each stored entry of `weights`."""
        return np.repeat(np.arange(self.n_vertices), self.degrees)

    def as_igraph(self) -> igraph.Graph:
        """The graph without self-loops in igraph, edges sorted by (smaller end, larger end)."""
        upper = sparse.triu(self.weights, k=1).tocoo()
        ends = np.column_stack([upper.row, upper.col])
        graph = igraph.Graph(n=self.n_vertices, edges=ends, directed=False)
        graph.es["weight"] = upper.data
        return graph


def build_adjacency(src: Ints, dst: Ints, weight: Floats, n_vertices: int) -> Adjacency:
    """The undirected graph of edges: vertex numbers src, dst, and weight > 0, each [edges]."""
    proper = src != dst
    low, high = np.minimum(src, dst)[proper], np.maximum(src, dst)[proper]
    # Sorted, because Spark delivers rows in any order, and the order decides the last bits of sums.
    order = np.lexsort((weight[proper], high, low))
    shape = (n_vertices, n_vertices)
    ends = (low[order], high[order])
    upper = sparse.coo_array((weight[proper][order], ends), shape=shape).tocsr()
    both = (upper + upper.T).tocsr()
    both.sort_indices()
    loops = np.bincount(src[~proper], weights=weight[~proper], minlength=n_vertices)
    return Adjacency(both, loops.astype(np.float64))


def components(graph: Adjacency) -> Ints:
    """The connected component of each vertex, named by the component's smallest vertex."""
    _, label = csgraph.connected_components(graph.weights, directed=False)
    _, first = np.unique(label, return_index=True)
    return np.asarray(first[label], dtype=np.int64)


def pagerank(
    graph: Adjacency,
    *,
    damping: float,
    tolerance: float,
    max_rounds: int,
    weighted: bool,
    restart: Floats | None = None,
) -> Floats:
    """PageRank: stationary distribution of a walk that restarts with probability 1 - damping.

    Page et al. 1998. weighted: follow edges in proportion to their weights; restart:
    float64[vertices], distribution of the vertices where the walk restarts, uniform by default. A
    walk at a vertex without edges restarts too. Iterates until the ranks change by less than
    `tolerance` in L1, for at most max_rounds. Returns float64[vertices], sum 1.
    """
    links = graph.weights if weighted else graph.weights.sign()
    strength = np.asarray(links.sum(axis=1)).ravel()
    restarts = np.full(graph.n_vertices, 1.0 / graph.n_vertices) if restart is None else restart
    share = np.divide(1.0, strength, out=np.zeros_like(strength), where=strength > 0)
    ranks = restarts.copy()
    for _ in range(max_rounds):
        lost = ranks[strength == 0].sum()
        moved = damping * (links @ (ranks * share) + lost * restarts) + (1 - damping) * restarts
        change = np.abs(moved - ranks).sum()
        ranks = moved
        if change < tolerance:
            break
    return np.asarray(ranks / ranks.sum())


def hops_from(graph: Adjacency, landmarks: Ints) -> Floats:
    """Number of edges on a shortest path: float64[landmarks, vertices], infinite without a path."""
    hops = csgraph.dijkstra(graph.weights, directed=False, indices=landmarks, unweighted=True)
    return np.atleast_2d(hops)


def core_numbers(graph: Adjacency) -> Ints:
    """Core numbers: for each vertex the largest k such that it is in the k-core."""
    return np.asarray(graph.as_igraph().coreness(), dtype=np.int64)


def spanning_forest(graph: Adjacency) -> tuple[Ints, Ints]:
    """A maximum spanning forest: both ends of its edges, int64[forest edges] each."""
    heaviest = graph.weights.data.max(initial=0.0)
    # SciPy finds the minimum and reads 0 as no edge: costs fall with the weight and stay above 0.
    costs, rows = 2.0 * heaviest - graph.weights.data, graph.weights
    # Made anew, the matrix has 32-bit indices where they do: csgraph of SciPy 1.11 takes no others.
    cost = sparse.csr_matrix((costs, rows.indices, rows.indptr), shape=rows.shape)
    forest = csgraph.minimum_spanning_tree(cost).tocoo()
    return forest.row.astype(np.int64), forest.col.astype(np.int64)


def propagate_labels(graph: Adjacency, *, rounds: int) -> Ints:
    """Weighted label propagation: each vertex takes the label with most weight at its neighbours.

    Half of the vertices are updated in a round (`moves_in_round`): if all were, the two sides of a
    bipartite graph would swap labels without end. Of labels with equal weight the smallest is
    taken. Ends after `rounds`, or when nothing has changed for _STILL_ROUNDS rounds. Returns the
    community of each vertex, named by the community's smallest vertex.
    """
    labels = np.arange(graph.n_vertices)
    still = 0
    for number in range(1, rounds + 1):
        heaviest = _heaviest_label(graph, labels)
        moving = moves_in_round(np.arange(graph.n_vertices), number) & (graph.degrees > 0)
        updated = np.where(moving, heaviest, labels)
        still = still + 1 if np.array_equal(updated, labels) else 0
        labels = updated
        if still == _STILL_ROUNDS:  # each vertex could move about twice, and none did
            break
    return named_by_smallest(labels)


def moves_in_round(vertex: Ints, number: int) -> npt.NDArray[np.bool_]:
    """Whether each vertex is updated in this round: a pseudo-random half, the same in Spark."""
    mixed = (vertex * 1_103_515_245 + number * 12_820_163 + 12_345) % 2_147_483_648
    return np.asarray((mixed // 65_536) % 2 == 0)


def _heaviest_label(graph: Adjacency, labels: Ints) -> Ints:
    """For each vertex the label with most weight at its neighbours; without any its own label."""
    owner, label = graph.owners, labels[graph.weights.indices]
    shape = (graph.n_vertices, graph.n_vertices)
    votes = sparse.coo_array((graph.weights.data, (owner, label)), shape=shape).tocsr()
    votes.sort_indices()
    held = np.repeat(np.arange(graph.n_vertices), np.diff(votes.indptr))
    order = np.lexsort((votes.indices, -np.round(votes.data, _TIE_DIGITS), held))
    winners = labels.copy()
    rows, first = np.unique(held[order], return_index=True)
    winners[rows] = votes.indices[order][first]
    return winners


def named_by_smallest(labels: Ints) -> Ints:
    """Rename the groups so that each has its smallest vertex as label."""
    _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    return np.asarray(first[inverse], dtype=np.int64)


def leiden(graph: Adjacency, *, seed: int, resolution: float = 1.0) -> Ints:
    """Leiden communities, which maximise weighted modularity; iterated to convergence.

    Traag, Waltman and van Eck 2019. Returns the community of each vertex, named by the community's
    smallest vertex; a vertex without edges is a community of its own.
    """
    strengths = graph.strengths
    if not strengths.sum():
        return np.arange(graph.n_vertices)
    # igraph draws from this generator: seeded, so that a retried task gives the same result.
    igraph.set_random_number_generator(random.Random(seed))
    # With weighted degrees as vertex weights, CPM is modularity, self-loops included.
    found = graph.as_igraph().community_leiden(
        objective_function="CPM",
        weights="weight",
        node_weights=list(strengths),
        resolution=resolution / strengths.sum(),
        n_iterations=-1,
    )
    return named_by_smallest(np.asarray(found.membership, dtype=np.int64))


def modularity(graph: Adjacency, labels: Ints) -> float:
    """Weighted modularity: share of weight within communities, less the share expected by chance.

    Newman 2004. By chance: edges drawn in proportion to the weighted degrees of their ends. 0 for a
    single community, below 1 always.
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
    """Triangles of each vertex, and its clustering coefficient: share of linked neighbour pairs."""
    clustering = np.asarray(graph.as_igraph().transitivity_local_undirected(mode="zero"))
    pairs = graph.degrees * (graph.degrees - 1) / 2
    return np.rint(clustering * pairs).astype(np.int64), clustering
