"""Report on a partition: sizes of the shards, items that they share, memory of their workers."""

from __future__ import annotations

from dataclasses import astuple, dataclass
from typing import Any

import numpy as np
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from interest_graph.arrays import Arrays, shipping
from interest_graph.config import TrainConfig
from interest_graph.errors import ConfigError
from interest_graph.train.distributed.all_reduce import item_sums, run_on_shards
from interest_graph.train.distributed.sharded_graph import ShardedGraph
from interest_graph.train.distributed.slots import task_of
from interest_graph.train.sharding.memory_model import Costs

PARTITION_COLUMNS = """
    shard_id INT, n_users BIGINT, n_edges BIGINT, n_items BIGINT, expected_mb DOUBLE,
    imbalance DOUBLE, replication DOUBLE, shared_edges DOUBLE, n_hubs BIGINT, hubs ARRAY<STRING>"""

# A hub is an item of at least this share of all users: it is in every shard however users are cut.
_HUB_SHARE = 0.1
_LISTED_HUBS = 20


@dataclass(frozen=True)
class ShardSize:
    """Counts of a shard's users, edges and distinct items."""

    shard_id: int
    n_users: int
    n_edges: int
    n_items: int


@dataclass(frozen=True)
class PartitionReport:
    """How even the shards of a graph are and how much they overlap.

    A user's edges are all in one shard, so shards overlap in items only. n_items: of the graph;
    costs: memory needed by the model that uses the shards; shared_edges: fraction of the edges
    whose item is in two or more shards; n_hubs: number of the items that at least a tenth of all
    users have; hubs: ids of the first 20 of them, most users first.
    """

    shards: tuple[ShardSize, ...]
    n_items: int
    costs: Costs
    shared_edges: float = 0.0
    n_hubs: int = 0
    hubs: tuple[str, ...] = ()

    @property
    def replication(self) -> float:
        """Number of shards that an item is in, on average over the items."""
        return sum(shard.n_items for shard in self.shards) / self.n_items

    @property
    def imbalance(self) -> float:
        """Bytes of the largest shard divided by the mean; 1 when all are equal."""
        return max(self._relative(shard) for shard in self.shards)

    def worker_mb(self, shard: ShardSize) -> float:
        """Expected peak memory of the shard's worker, in MiB."""
        return self.costs.worker_mb(shard.n_users, shard.n_edges, self.n_items)

    def require_memory(self, budget_mb: float) -> None:
        """Raise ConfigError when a shard's worker would need more than budget_mb (MiB)."""
        largest = max(self.shards, key=self.worker_mb)
        needed = self.worker_mb(largest)
        if needed > budget_mb:
            raise ConfigError(
                "train.worker_mb",
                f"shard {largest.shard_id} needs about {needed:.0f} MB of the {budget_mb:.0f} MB; "
                "use more shards (train.n_shards: null) or a smaller dimension",
            )

    def resident_mb(self, n_tasks: int) -> float:
        """Expected peak memory in MiB of a worker that keeps its part of the shards, a range."""
        needed = [0.0] * n_tasks
        for place, shard in enumerate(self.shards):
            needed[task_of(place, len(self.shards), n_tasks)] += (
                self.worker_mb(shard) - self.costs.idle_mb
            )
        return self.costs.idle_mb + max(needed)

    def within_memory(self, n_tasks: int | None, config: TrainConfig) -> int | None:
        """The number of resident workers, None where their shards need more than train.worker_mb.

        Raises ConfigError instead where train.exchange is "resident".
        """
        if n_tasks is None or self.resident_mb(n_tasks) <= config.worker_mb:
            return n_tasks
        if config.exchange == "auto":
            return None
        raise ConfigError(
            "train.worker_mb",
            f"a resident worker needs about {self.resident_mb(n_tasks):.0f} MB of the "
            f"{config.worker_mb} MB for its shards; use train.exchange: auto, or more slots",
        )

    def rows(self) -> list[tuple[Any, ...]]:
        """Rows of PARTITION_COLUMNS: one a shard, and one with shard_id -1 for the whole graph."""
        hubs = self.n_hubs, list(self.hubs)
        whole = ShardSize(
            shard_id=-1,
            n_users=sum(shard.n_users for shard in self.shards),
            n_edges=sum(shard.n_edges for shard in self.shards),
            n_items=self.n_items,
        )
        expected = max(map(self.worker_mb, self.shards))
        return [
            *(
                (*astuple(s), self.worker_mb(s), self._relative(s), *[None] * 4)
                for s in self.shards
            ),
            (*astuple(whole), expected, self.imbalance, self.replication, self.shared_edges, *hubs),
        ]

    def _relative(self, shard: ShardSize) -> float:
        sizes = [self.costs.shard_bytes(s.n_users, s.n_edges) for s in self.shards]
        return self.costs.shard_bytes(shard.n_users, shard.n_edges) / float(np.mean(sizes))


def report_partition(graph: ShardedGraph, costs: Costs) -> PartitionReport:
    """Count each shard's users, edges and items, and what shards have in common; two Spark jobs."""
    with shipping(graph.spark, {}) as nothing:
        counted = run_on_shards(graph, _count, nothing, ["indptr", "items"])
        is_size = F.col("name") == "size"
        sizes = counted.where(is_size).select("shard_id", "data").collect()  # one row a shard
        counts = item_sums(counted.where(~is_size))
    by_id = [(shard_id, np.frombuffer(size, np.int64).tolist()) for shard_id, size in sorted(sizes)]
    known, n_shards = counts["n_edges"], counts["n_shards"]
    hubs = _hubs(graph, known)
    return PartitionReport(
        shards=tuple(ShardSize(shard_id, *size) for shard_id, size in by_id),
        n_items=len(graph.items),
        costs=costs,
        shared_edges=float(known[n_shards > 1].sum() / known.sum()),
        n_hubs=len(hubs),
        hubs=graph.items.ids_of(hubs[:_LISTED_HUBS].tolist()),
    )


def partition_frame(graph: ShardedGraph, report: PartitionReport) -> DataFrame:
    """The report as a frame of PARTITION_COLUMNS."""
    return graph.spark.createDataFrame(report.rows(), PARTITION_COLUMNS)


def _hubs(graph: ShardedGraph, n_users: np.ndarray) -> np.ndarray:
    """Numbers of the hubs, most users first; n_users: float32[items], users of each item."""
    best_known = np.argsort(-n_users, kind="stable")
    hubs: np.ndarray = best_known[n_users[best_known] >= _HUB_SHARE * graph.n_users]
    return hubs


def _count(_: int, shard: Arrays, shared: Arrays) -> Arrays:
    """Arrays to sum over shards, and the shard's own size.

    n_edges float32[items], of each item in this shard; n_shards float32[items], 1 where the item is
    in it; size int64[3], the users, edges and items of ShardSize.
    """
    n_edges = np.bincount(shard["items"], minlength=len(shared["degrees"])).astype(np.float32)
    size = [len(shard["indptr"]) - 1, len(shard["items"]), np.count_nonzero(n_edges)]
    return {
        "n_edges": n_edges,
        "n_shards": (n_edges > 0).astype(np.float32),
        "size": np.array(size, np.int64),
    }
