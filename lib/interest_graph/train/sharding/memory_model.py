"""Memory that a worker needs for a shard, and the number of shards for a memory budget.

No Spark here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from interest_graph.errors import ConfigError
from interest_graph.train.kernels.negative_sampling import DRAWS_AT_A_TIME

# Peak of a Python worker on a tiny graph, measured: with torch, and with SciPy alone.
_TORCH_WORKER_MB, _SCIPY_WORKER_MB = 750, 200
# An edge: item number and weight, in the matrix and its transpose, received, scaled, on the device.
_EDGE_BYTES = 40
# An edge in training: five int64, to look negatives up among a user's items and to mix the edges.
_SAMPLED_EDGE_BYTES = 40
# A draw of a negative: five int64 while it is drawn and looked up.
_DRAW_BYTES = 40
# A cell of a mini-batch's users and its pool: three float32 and whether the user has the item.
_POOL_CELL_BYTES = 13
# A user id: as a Python string and in Arrow.
_ID_BYTES = 200
# Arrays [users, d] and [items, d] that exist at the same time.
_TRAINED_USER_ARRAYS, _TRAINED_ITEM_ARRAYS = 9, 14  # parameters, moments, gradients, sums
_MULTIPLIED_USER_ARRAYS, _MULTIPLIED_ITEM_ARRAYS = 3, 6  # factors, products, their packed copies
# Share of the free memory that shards are planned to use; the rest is for shards above the mean.
_FILL = 0.9


@dataclass(frozen=True)
class Costs:
    """A worker's memory: bytes for each user and edge of its shard, and for each item of the graph.

    idle_mb: MiB of a worker without data.
    """

    user: float
    edge: float
    item: float
    idle_mb: float = 0.0

    def shard_bytes(self, n_users: float, n_edges: float) -> float:
        """Bytes for a shard's users and edges, without what every worker needs alike."""
        return n_users * self.user + n_edges * self.edge

    def worker_mb(self, n_users: float, n_edges: float, n_items: int) -> float:
        """Expected peak memory of a worker in MiB; n_items: of the whole graph."""
        return self.idle_mb + (self.shard_bytes(n_users, n_edges) + n_items * self.item) / 2**20


@dataclass(frozen=True)
class GraphSize:
    """Counts of users, edges and items of a graph; most_edges: of the user with the most edges."""

    n_users: int
    n_edges: int
    n_items: int
    most_edges: int


def training_costs(
    dimension: int,
    n_layers: int,
    *,
    n_candidates: int = 1,
    batch_size: int = 0,
    pool_size: int = 0,
) -> Costs:
    """Costs of training LightGCN: vectors of users and items, Adam's moments, gradients, layers.

    dimension: of a vector. n_candidates: negatives of each pair of a mini-batch (batch_size
    edges), whose vectors are copied; pool_size: negatives that a mini-batch shares, 0 for none.
    """
    vector = 4 * dimension
    n_drawn = DRAWS_AT_A_TIME if n_candidates > 1 or pool_size else 0
    step_bytes = (
        n_candidates * batch_size * vector
        + max(n_drawn, n_candidates * batch_size) * _DRAW_BYTES
        + batch_size * pool_size * _POOL_CELL_BYTES
    )
    return Costs(
        user=_ID_BYTES + vector * _TRAINED_USER_ARRAYS,
        edge=_EDGE_BYTES + _SAMPLED_EDGE_BYTES,
        item=vector * (_TRAINED_ITEM_ARRAYS + 2 * n_layers),
        idle_mb=_TORCH_WORKER_MB + step_bytes / 2**20,
    )


def product_costs(dimension: int) -> Costs:
    """Costs of products of R^ with matrices of `dimension` columns, as the spectral model needs."""
    vector = 4 * dimension
    return Costs(
        user=_ID_BYTES + vector * _MULTIPLIED_USER_ARRAYS,
        edge=_EDGE_BYTES,
        item=vector * _MULTIPLIED_ITEM_ARRAYS,
        idle_mb=_SCIPY_WORKER_MB,
    )


def shards_needed(size: GraphSize, costs: Costs, budget_mb: float) -> int:
    """The smallest number of shards for which no worker needs more than budget_mb (MiB).

    Raises ConfigError when no number is enough, because every worker holds the vectors of all items
    and all edges of at least one user.
    """
    free = (budget_mb - costs.worker_mb(0, 0, size.n_items)) * 2**20
    largest_user = costs.shard_bytes(1, size.most_edges)
    if largest_user > free * _FILL:
        needed = costs.worker_mb(1, size.most_edges, size.n_items)
        raise ConfigError(
            "train.worker_mb",
            f"any worker needs about {needed:,.0f} MB for {size.n_items:,} items and a user with "
            f"{size.most_edges:,} of them, {budget_mb:,.0f} MB are allowed; allow more or use a "
            "smaller dimension",
        )
    needed_bytes = costs.shard_bytes(size.n_users, size.n_edges)
    # A shard may exceed the mean by its last user.
    room = max(free * _FILL - largest_user, largest_user)
    return min(size.n_users, math.ceil(needed_bytes / room))
