"""A user-item graph cut by users: each shard's edges as one CSR matrix, cached by Spark."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from interest_graph.arrays import Shipped, pack_texts
from interest_graph.partition_keys import key_of_partition
from interest_graph.train.distributed.array_codec import PACKED_COLUMNS, pack


@dataclass(frozen=True)
class Items:
    """The items of a graph, numbered by the order of their ids; the ids stay in Spark.

    numbers: item_id, item (INT from 0); cached. degrees: float64[items], the sum of the weights of
    an item's edges; all_degrees: the same with the held-out pairs.
    """

    numbers: DataFrame
    degrees: np.ndarray
    all_degrees: np.ndarray

    def __len__(self) -> int:
        return len(self.degrees)

    def ids_of(self, items: Sequence[int]) -> tuple[str, ...]:
        """The ids of a few items by their numbers, in the same order."""
        if not len(items):
            return ()
        rows = self.numbers.where(F.col("item").isin([int(item) for item in items])).collect()
        by_number = {row["item"]: row["item_id"] for row in rows}
        return tuple(by_number[int(item)] for item in items)


@dataclass(frozen=True)
class ShardedGraph:
    """A user-item graph cut into shards of users, packed for workers.

    rows: PACKED_COLUMNS, cached, one shard a partition; each shard holds `indptr`, `items` and
    `weights` (the CSR matrix of its users' edges), the same with `held_` before the name for the
    held-out pairs, and `user_ids` (packed texts).
    degrees: the items' `degrees` and `all_degrees`, for workers.
    """

    rows: DataFrame
    items: Items
    degrees: Shipped
    n_shards: int
    n_users: int
    n_edges: int

    @property
    def spark(self) -> SparkSession:
        """The session that holds the shards."""
        return self.rows.sparkSession

    @property
    def has_held_out(self) -> bool:
        """Whether any pair is held out for validation."""
        return bool(self.items.all_degrees.sum() > self.items.degrees.sum())

    def release(self) -> None:
        """Unpersist the cached shards and item numbers and delete the shipped degrees."""
        self.rows.unpersist()
        self.items.numbers.unpersist()
        self.degrees.discard()


def pack_shards(assigned: DataFrame, n_shards: int) -> DataFrame:
    """Bring each shard's users together as PACKED_COLUMNS, one shard a partition; cached.

    assigned: rows of Histories with shard_id, from 0 to n_shards - 1, none of them empty.
    """
    rows = (
        assigned.withColumn("shard_key", key_of_partition("shard_id", n_shards))
        .repartition(n_shards, "shard_key")
        .sortWithinPartitions("shard_id", "user_id")
        .mapInArrow(_pack_shard, PACKED_COLUMNS)
        .persist()
    )
    rows.count()  # fills the cache, so that the histories can be unpersisted
    return rows


def _pack_shard(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The users of one shard, in order, as CSR matrices in PACKED_COLUMNS."""
    received = [batch for batch in batches if batch.num_rows]
    if not received:
        return
    table = pa.Table.from_batches(received).combine_chunks()
    arrays = {
        **_as_csr(table.column("history").chunk(0), ""),
        **_as_csr(table.column("held").chunk(0), "held_"),
        "user_ids": pack_texts(table.column("user_id").to_pylist()),
    }
    yield from pack(table["shard_key"][0].as_py(), table["shard_id"][0].as_py(), arrays)


def _as_csr(histories: pa.ListArray, prefix: str) -> dict[str, np.ndarray]:
    """A list column as a CSR matrix: its offsets and values are the matrix's arrays."""
    offsets = histories.offsets.to_numpy().astype(np.int64)
    entries = histories.flatten()
    return {
        f"{prefix}indptr": offsets - offsets[0],
        f"{prefix}items": entries.field("item").to_numpy(zero_copy_only=False).astype(np.int32),
        f"{prefix}weights": entries.field("weight").to_numpy(zero_copy_only=False),
    }
