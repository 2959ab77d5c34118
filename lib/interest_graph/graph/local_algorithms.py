"""Structure of a graph that fits one worker: NumPy, SciPy and igraph, no Spark."""

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

_TIE_DIGITS = 9  # sums that agree to so many decimals are a tie, in every engine


@dataclass(frozen=True)
class Adjacency:
    """An undirected graph without loops or parallel edges.

    weights: float64[vertices, vertices], symmetric; parallel edges' weights are summed.
    loops: float64[vertices], weight of the self-loops that were left out.
    """

    weights: sparse.csr_array
    loops: Floats

    @property
    def n_vertices(self) -> int:
        """Number of vertices."""
        return int(self.weights.shape[0])

    @property
    def degrees(self) -> Ints:
        """Neighbours by vertex."""
        return np.asarray(np.diff(self.weights.indptr), dtype=np.int64)

    @property
    def strengths(self) -> Floats:
        """Weight of the edges at each vertex; a self-loop counts at both of its ends."""
        return np.asarray(self.weights.sum(axis=1)).ravel() + 2.0 * self.loops

    @property
    def owners(self) -> Ints:
        """The row of each stored entry."""
        return np.repeat(np.arange(self.n_vertices), self.degrees)

    def as_igraph(self) -> igraph.Graph:
        """The same graph in igraph, edges in order of (smaller end, larger end)."""
        upper = sparse.triu(self.weights, k=1).tocoo()
        ends = np.column_stack([upper.row, upper.col])
        graph = igraph.Graph(n=self.n_vertices, edges=ends, directed=False)
        graph.es["weight"] = upper.data
        return graph


def build_adjacency(src: Ints, dst: Ints, weight: Floats, n_vertices: int) -> Adjacency:
    """Join edges (index, index, weight > 0) into an undirected graph; self-loops are set apart."""
    proper = src != dst
    low, high = np.minimum(src, dst)[proper], np.maximum(src, dst)[proper]
    # Spark hands over rows in any order; the order of a sum decides its last bit.
    order = np.lexsort((weight[proper], high, low))
    shape = (n_vertices, n_vertices)
    ends = (low[order], high[order])
    upper = sparse.coo_array((weight[proper][order], ends), shape=shape).tocsr()
    both = (upper + upper.T).tocsr()
    both.sort_indices()
    loops = np.bincount(src[~proper], weights=weight[~proper], minlength=n_vertices)
    return Adjacency(both, loops.astype(np.float64))


def components(graph: Adjacency) -> Ints:
    """Each vertex's connected component, named by its smallest vertex."""
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
    """Stationary distribution of a walk that restarts with probability 1 - damping.

    restart: where it restarts, uniform by default (Page et al. 1998); a walk without an edge to
    follow restarts too. Ranks sum to 1; ends when they move less than `tolerance` in L1.
    """
    links = graph.weights if weighted else graph.weights.sign()
    strength = np.asarray(links.sum(axis=1)).ravel()
    home = np.full(graph.n_vertices, 1.0 / graph.n_vertices) if restart is None else restart
    share = np.divide(1.0, strength, out=np.zeros_like(strength), where=strength > 0)
    ranks = home.copy()
    for _ in range(max_rounds):
        lost = ranks[strength == 0].sum()
        moved = damping * (links @ (ranks * share) + lost * home) + (1 - damping) * home
        change = np.abs(moved - ranks).sum()
        ranks = moved
        if change < tolerance:
            break
    return np.asarray(ranks / ranks.sum())


def hops_from(graph: Adjacency, landmarks: Ints) -> Floats:
    """Edges on the shortest way: float64[landmarks, vertices], infinite where there is none."""
    hops = csgraph.dijkstra(graph.weights, directed=False, indices=landmarks, unweighted=True)
    return np.atleast_2d(hops)


def core_numbers(graph: Adjacency) -> Ints:
    """Largest k whose k-core holds the vertex."""
    return np.asarray(graph.as_igraph().coreness(), dtype=np.int64)


def spanning_forest(graph: Adjacency) -> tuple[Ints, Ints]:
    """Ends of the heaviest edges that connect what is connected: a maximum spanning forest."""
    heaviest = graph.weights.data.max(initial=0.0)
    # SciPy minimises, and takes 0 for no edge.
    cost = graph.weights.copy()
    cost.data = 2.0 * heaviest - cost.data
    forest = csgraph.minimum_spanning_tree(cost).tocoo()
    return forest.row.astype(np.int64), forest.col.astype(np.int64)


def propagate_labels(graph: Adjacency, *, rounds: int) -> Ints:
    """Weighted label propagation: a vertex takes the label with most weight among its neighbours.

    Half of the vertices move in a round (see `moves_in_round`): if all moved, a bipartite graph's
    labels would swap sides for ever. Ties keep the smallest label. A community is named by its
    smallest vertex.
    """
    labels = np.arange(graph.n_vertices)
    still = 0
    for number in range(1, rounds + 1):
        heaviest = _heaviest_label(graph, labels)
        moving = moves_in_round(np.arange(graph.n_vertices), number) & (graph.degrees > 0)
        updated = np.where(moving, heaviest, labels)
        still = still + 1 if np.array_equal(updated, labels) else 0
        labels = updated
        if still == 4:  # each vertex was asked about twice on average, and none moved
            break
    return named_by_smallest(labels)


def moves_in_round(vertex: Ints, number: int) -> npt.NDArray[np.bool_]:
    """A fixed pseudo-random half of the vertices for each round, the same in every engine."""
    mixed = (vertex * 1_103_515_245 + number * 12_820_163 + 12_345) % 2_147_483_648
    return np.asarray((mixed // 65_536) % 2 == 0)


def _heaviest_label(graph: Adjacency, labels: Ints) -> Ints:
    """Per vertex the label with most weight at its neighbours; its own where it has none."""
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
    """The same partition with each group named by its smallest vertex."""
    _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    return np.asarray(first[inverse], dtype=np.int64)


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
