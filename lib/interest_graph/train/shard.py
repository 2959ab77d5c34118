"""Splits users into shards of equal size and packs each shard's edges as one CSR matrix."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from interest_graph.arrays import Shipped, pack_texts, ship
from interest_graph.errors import ConfigError, DataError, TrainingError
from interest_graph.train.edges import with_validation
from interest_graph.train.packing import PACKED_COLUMNS, pack
from interest_graph.train.placement import partition_keys

# A user's edge costs an item number and a weight; a user costs vectors and their moments.
_EDGE_BYTES, _USER_BYTES = 8, 512
# The heaviest users are dealt out one by one, which evens out what hashing the others left.
_DEALT_PER_SHARD = 64


@dataclass(frozen=True)
class Items:
    """The items of a graph in the order of their numbers.

    ids: item_id by number, sorted; degrees: float64, the weights of an item's edges, summed;
    all_degrees: the same with the held-out pairs.
    """

    ids: list[str]
    degrees: np.ndarray
    all_degrees: np.ndarray

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True)
class ShardedGraph:
    """A user-item graph cut by users, ready for workers.

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
        """Let the cached shards go."""
        self.rows.unpersist()
        self.degrees.discard()


def shard_graph(
    edges: DataFrame, n_shards: int, *, held_out: DataFrame | None = None, seed: int = 0
) -> ShardedGraph:
    """Number the items, assign the users to shards of equal bytes, and pack and cache the shards.

    edges: user_id, item_id, weight > 0, one row per pair. held_out: user_id, item_id pairs that
    are kept beside the edges for validation, their weight 1 unless they have one.
    The same edges, shards and seed give the same result in any order of the rows.
    """
    spark = edges.sparkSession
    pairs = with_validation(edges, held_out)
    items = count_items(pairs)
    histories = _histories(pairs, _index(spark, items)).persist()
    loads = _hashed_loads(histories, n_shards, seed)
    n_users = int(loads["n_users"].sum())
    if n_users < n_shards:
        raise ConfigError("train.n_shards", f"{n_users} users cannot fill {n_shards} shards")
    assigned = _assign(histories, n_shards, seed, loads).join(
        _shard_keys(spark, n_shards), "shard_id"
    )
    rows = (
        assigned.repartition(n_shards, "shard_key")
        .sortWithinPartitions("shard_id", "user_id")
        .mapInArrow(_pack_shard, PACKED_COLUMNS)
        .persist()
    )
    rows.count()  # fills the cache, so that the histories can go
    histories.unpersist()
    return ShardedGraph(
        rows=rows,
        items=items,
        degrees=ship(spark, {"degrees": items.degrees, "all_degrees": items.all_degrees}),
        n_shards=n_shards,
        n_users=n_users,
        n_edges=int(loads["n_edges"].sum()),
    )


def count_items(pairs: DataFrame) -> Items:
    """The items of `with_validation`'s pairs. Raises TrainingError, DataError."""
    weight = F.col("weight").cast("double")
    is_wrong = weight.isNull() | F.isnan(weight) | (weight <= 0) | (weight == float("inf"))
    counts = pairs.groupBy("item_id").agg(
        F.sum(F.when(~F.col("is_held_out"), weight).otherwise(0.0)).alias("degree"),
        F.sum(weight).alias("all_degree"),
        F.count(F.when(is_wrong, 1)).alias("n_wrong"),
    )
    found = counts.toPandas().sort_values("item_id", ignore_index=True)
    n_wrong = int(found["n_wrong"].sum())
    if n_wrong:
        samples = found.loc[found["n_wrong"] > 0, "item_id"].tolist()
        raise DataError("edge weights must be finite and above 0", n_wrong, samples)
    if not found["degree"].any():
        raise TrainingError("there are no user-item edges to train on")
    return Items(
        ids=found["item_id"].tolist(),
        degrees=found["degree"].to_numpy(np.float64),
        all_degrees=found["all_degree"].to_numpy(np.float64),
    )


def _index(spark: SparkSession, items: Items) -> DataFrame:
    numbers = pd.DataFrame({"item_id": items.ids, "item": np.arange(len(items), dtype=np.int32)})
    return F.broadcast(spark.createDataFrame(numbers))


def _histories(pairs: DataFrame, index: DataFrame) -> DataFrame:
    """user_id, history and held ARRAY<STRUCT<item, weight>>, by item number."""
    entry = F.struct("item", F.col("weight").cast("float").alias("weight"))
    is_held = F.col("is_held_out")
    return (
        pairs.join(index, "item_id")
        .groupBy("user_id")
        .agg(
            F.sort_array(F.collect_list(F.when(~is_held, entry))).alias("history"),
            F.sort_array(F.collect_list(F.when(is_held, entry))).alias("held"),
        )
    )


def _hashed(n_shards: int, seed: int) -> Column:
    return F.pmod(F.xxhash64("user_id", F.lit(seed)), F.lit(n_shards)).cast("int")


def _hashed_loads(histories: DataFrame, n_shards: int, seed: int) -> pd.DataFrame:
    """n_users and n_edges of each shard if every user went where the hash says."""
    loads = histories.groupBy(_hashed(n_shards, seed).alias("shard_id")).agg(
        F.count("*").alias("n_users"), F.sum(F.size("history")).alias("n_edges")
    )
    by_shard = loads.toPandas().set_index("shard_id")
    return by_shard.reindex(range(n_shards), fill_value=0)


def _assign(histories: DataFrame, n_shards: int, seed: int, loads: pd.DataFrame) -> DataFrame:
    """Adds shard_id: the heaviest users go to the lightest shard in turn, the others by hash."""
    hashed = _hashed(n_shards, seed)
    if n_shards == 1:
        return histories.withColumn("shard_id", F.lit(0))
    size = F.size("history")
    heaviest = (
        histories.select("user_id", size.alias("n_edges"), hashed.alias("hashed"))
        .orderBy(F.desc("n_edges"), "user_id")
        .limit(_DEALT_PER_SHARD * n_shards)
        .toPandas()
    )
    dealt = F.broadcast(histories.sparkSession.createDataFrame(deal(heaviest, loads)))
    chosen = F.coalesce("dealt_to", hashed).alias("shard_id")
    return histories.join(dealt, "user_id", how="left").select("user_id", "history", "held", chosen)


def deal(heaviest: pd.DataFrame, loads: pd.DataFrame) -> pd.DataFrame:
    """Deal the heaviest users out, each to the shard with the fewest bytes so far.

    heaviest: user_id, n_edges, hashed (shard by hash), heaviest first. loads: n_users, n_edges by
    shard, the heaviest users included. Returns user_id, dealt_to.
    """
    theirs = heaviest.groupby("hashed").agg(n_users=("user_id", "size"), n_edges=("n_edges", "sum"))
    others = loads.sub(theirs.reindex(loads.index, fill_value=0))
    sizes = others["n_edges"] * _EDGE_BYTES + others["n_users"] * _USER_BYTES
    shards = [(int(size), shard) for shard, size in enumerate(sizes)]
    heapq.heapify(shards)
    dealt = []
    for n_edges in heaviest["n_edges"]:
        size, shard = shards[0]
        dealt.append(shard)
        heapq.heapreplace(shards, (size + int(n_edges) * _EDGE_BYTES + _USER_BYTES, shard))
    return pd.DataFrame({"user_id": heaviest["user_id"], "dealt_to": np.array(dealt, np.int32)})


def _shard_keys(spark: SparkSession, n_shards: int) -> DataFrame:
    """shard_id, shard_key: small enough to be broadcast."""
    renamed = {"partition": "shard_id", "key": "shard_key"}
    return F.broadcast(partition_keys(spark, n_shards).withColumnsRenamed(renamed))


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
    """The buffers of a list column are a CSR matrix already."""
    offsets = histories.offsets.to_numpy().astype(np.int64)
    entries = histories.flatten()
    return {
        f"{prefix}indptr": offsets - offsets[0],
        f"{prefix}items": entries.field("item").to_numpy(zero_copy_only=False).astype(np.int32),
        f"{prefix}weights": entries.field("weight").to_numpy(zero_copy_only=False),
    }
