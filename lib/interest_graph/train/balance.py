"""How evenly the shards are cut, and what memory a worker will need."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from interest_graph.errors import ConfigError
from interest_graph.train.packing import unpack
from interest_graph.train.shard import ShardedGraph

_COLUMNS = "shard_id INT, n_users BIGINT, n_edges BIGINT, n_items BIGINT"

# A worker with torch and Arrow loaded, before it has any data: rough, from peaks near 700 MB.
_WORKER_MB = 500
# Arrays of one row a vertex that live at the same time: parameters, moments, gradients, sums.
_USER_ARRAYS, _ITEM_ARRAYS = 9, 14
# A matrix entry: number and weight, both ways, as received, scaled and on the device.
_EDGE_BYTES = 40


@dataclass(frozen=True)
class ShardSize:
    """A shard's users, edges and distinct items."""

    shard_id: int
    n_users: int
    n_edges: int
    n_items: int


@dataclass(frozen=True)
class Balance:
    """The partition of a graph into shards.

    No edge is cut: a user's edges stay together, what is shared are items. replication: shards
    that an item is in, on average; imbalance: the largest shard's edges by the mean.
    """

    shards: tuple[ShardSize, ...]
    n_items: int

    @property
    def replication(self) -> float:
        """Shards that an item is in, on average."""
        return sum(shard.n_items for shard in self.shards) / self.n_items

    @property
    def imbalance(self) -> float:
        """Edges of the largest shard by the mean; 1 is perfect."""
        edges = [shard.n_edges for shard in self.shards]
        return max(edges) / max(1.0, float(np.mean(edges)))

    def worker_mb(self, shard: ShardSize, dimension: int, n_layers: int) -> float:
        """Memory that training the shard is expected to need, in MiB."""
        vector = 4 * dimension
        users = shard.n_users * vector * _USER_ARRAYS
        items = self.n_items * vector * (_ITEM_ARRAYS + 2 * n_layers)
        return _WORKER_MB + (users + items + shard.n_edges * _EDGE_BYTES) / 2**20

    def require_memory(self, budget_mb: float, dimension: int, n_layers: int) -> None:
        """Raise ConfigError when a shard would not fit its worker."""
        needs = {s.shard_id: self.worker_mb(s, dimension, n_layers) for s in self.shards}
        largest = max(needs, key=lambda shard_id: needs[shard_id])
        if needs[largest] > budget_mb:
            raise ConfigError(
                "train.worker_mb",
                f"shard {largest} needs about {needs[largest]:.0f} MB of the {budget_mb:.0f} MB; "
                "use more shards or a smaller dimension",
            )


def measure_balance(graph: ShardedGraph) -> Balance:
    """Count each shard's users, edges and items; one small job."""
    rows = graph.rows.where("name IN ('indptr', 'items')").mapInArrow(_sizes, _COLUMNS)
    sizes = sorted(rows.collect())
    return Balance(tuple(ShardSize(*map(int, row)) for row in sizes), len(graph.items))


def _sizes(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    for _, shard_id, shard in unpack(batches):
        n_users, items = len(shard["indptr"]) - 1, shard["items"]
        values = (n_users, len(items), len(np.unique(items)))
        columns = [pa.array([shard_id], pa.int32()), *(pa.array([v], pa.int64()) for v in values)]
        yield pa.RecordBatch.from_arrays(columns, ["shard_id", "n_users", "n_edges", "n_items"])
