"""What memory a worker needs for a shard, and how many shards a budget asks for. No Spark here."""

from __future__ import annotations

import math
from dataclasses import dataclass

from interest_graph.errors import ConfigError

# A Python worker's peak on a graph of next to nothing, measured: with torch, and with SciPy alone.
_TORCH_WORKER_MB, _SCIPY_WORKER_MB = 750, 200
# A matrix entry: number and weight, both ways, as received, scaled and on the device.
_EDGE_BYTES = 40
# Five whole numbers each while candidates are drawn and compared with what their users have.
_CANDIDATE_BYTES = 40
# A user's id as text, as a Python string and in Arrow.
_ID_BYTES = 200
# Arrays of one row a vertex that live at the same time.
_TRAINED_USER_ARRAYS, _TRAINED_ITEM_ARRAYS = 9, 14  # parameters, moments, gradients, sums
_MULTIPLIED_USER_ARRAYS, _MULTIPLIED_ITEM_ARRAYS = 3, 6  # factors, products, their packed copies
# The part of what is free that shards are planned to fill: they are of about equal size.
_FILL = 0.9


@dataclass(frozen=True)
class Costs:
    """A worker's memory: bytes for each user and edge of its shard and each item there is.

    idle_mb: what it takes before there is any of them.
    """

    user: float
    edge: float
    item: float
    idle_mb: float = 0.0

    def shard_bytes(self, n_users: float, n_edges: float) -> float:
        """What grows with the shard."""
        return n_users * self.user + n_edges * self.edge

    def worker_mb(self, n_users: float, n_edges: float, n_items: int) -> float:
        """Memory that a worker is expected to need for such a shard, in MiB."""
        return self.idle_mb + (self.shard_bytes(n_users, n_edges) + n_items * self.item) / 2**20


@dataclass(frozen=True)
class GraphSize:
    """Users, edges and items of a graph, and the edges of the user with the most."""

    n_users: int
    n_edges: int
    n_items: int
    most_edges: int


def training_costs(
    dimension: int, n_layers: int, *, n_candidates: int = 1, batch_size: int = 0
) -> Costs:
    """Of LightGCN: vectors of users and items with moments, gradients and layers.

    n_candidates: drawn for every edge of a pass; a step copies the vectors of a batch's.
    """
    vector = 4 * dimension
    return Costs(
        user=_ID_BYTES + vector * _TRAINED_USER_ARRAYS,
        edge=_EDGE_BYTES + _CANDIDATE_BYTES * (n_candidates - 1),
        item=vector * (_TRAINED_ITEM_ARRAYS + 2 * n_layers),
        idle_mb=_TORCH_WORKER_MB + n_candidates * batch_size * vector / 2**20,
    )


def product_costs(dimension: int) -> Costs:
    """Of products with R^ alone."""
    vector = 4 * dimension
    return Costs(
        user=_ID_BYTES + vector * _MULTIPLIED_USER_ARRAYS,
        edge=_EDGE_BYTES,
        item=vector * _MULTIPLIED_ITEM_ARRAYS,
        idle_mb=_SCIPY_WORKER_MB,
    )


def shards_needed(size: GraphSize, costs: Costs, budget_mb: float) -> int:
    """The fewest shards whose workers keep the budget.

    Raises ConfigError when no number does: every worker holds vectors of all items, and a user's
    edges stay together.
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
