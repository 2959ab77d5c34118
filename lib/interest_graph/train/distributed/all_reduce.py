"""All-reduce between shards: each shard computes its term of an item-level sum, Spark adds them.

With R the weighted user-item matrix and R^ = Du^a R Di^b (a = b = -1/2 by default, see Scaling),
shard s holds the rows R^_s of its users. All that shards exchange are sums over s of R^_s' Z_s.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial

import numpy as np
import pandas as pd
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from interest_graph.arrays import Arrays, Shipped, shipping, unpack_texts
from interest_graph.device import device_of_shard, naming_out_of_memory
from interest_graph.train.distributed.array_codec import PACKED_COLUMNS, pack, unpack
from interest_graph.train.distributed.sharded_graph import ShardedGraph
from interest_graph.train.kernels.sparse import (
    SYMMETRIC,
    Scaling,
    gram_product,
    normalised,
)

USER_COLUMNS = "key STRING, vector ARRAY<FLOAT>, shard_id INT, n_edges BIGINT"

_SUM_COLUMNS = "name STRING, chunk INT, width INT, data BINARY"
_USERS_PER_BATCH = 50_000

Kernel = Callable[[int, Arrays, Arrays], Mapping[str, np.ndarray]]
VectorKernel = Callable[[Arrays, Arrays], np.ndarray]


def gram(graph: ShardedGraph, Y: np.ndarray, scaling: Scaling = SYMMETRIC) -> np.ndarray:
    """R^' R^ Y, the sum over all shards of R^_s' R^_s Y; one Spark job.

    Y: float32[items, d]. Returns float32[items, d].
    """
    kernel = partial(_gram_of_shard, scaling=scaling)
    with shipping(graph.spark, {"Y": Y}) as shared:
        return item_sums(run_on_shards(graph, kernel, shared, scaling.names))["sum"]


def run_on_shards(
    graph: ShardedGraph,
    kernel: Kernel,
    shared: Shipped,
    names: Iterable[str],
    state: DataFrame | None = None,
) -> DataFrame:
    """Call `kernel(shard_id, shard, shared)` for each shard; returns its arrays as PACKED_COLUMNS.

    names: arrays of the shard that the kernel reads. shared: item-level arrays that every shard
    gets, together with the graph's degrees. state: more rows of PACKED_COLUMNS, each sent to its
    shard and there part of `shard`.
    """
    call = partial(_call_kernel, kernel=kernel, shipped=(graph.degrees, shared))
    return _rows(graph, names, state).mapInArrow(call, PACKED_COLUMNS)


def user_rows(
    graph: ShardedGraph,
    kernel: VectorKernel,
    shared: Shipped,
    names: Iterable[str],
    state: DataFrame | None = None,
) -> DataFrame:
    """Vectors of all users, computed by `kernel(shard, shared)` -> [users, d]; USER_COLUMNS, lazy.

    names, shared, state: as in `run_on_shards`.
    """
    call = partial(_call_for_users, kernel=kernel, shipped=(graph.degrees, shared))
    needed = {*names, "user_ids", "indptr", "held_indptr"}
    return _rows(graph, needed, state).mapInArrow(call, USER_COLUMNS)


def _rows(graph: ShardedGraph, names: Iterable[str], state: DataFrame | None) -> DataFrame:
    rows = graph.rows.where(F.col("name").isin(*names))
    if state is None:
        return rows
    # With an explicit number of partitions, adaptive execution does not merge shards.
    return rows.unionByName(state).repartition(graph.n_shards, "shard_key")


def item_sums(packed: DataFrame) -> Arrays:
    """Add up the shards' arrays of the same name, chunk by chunk, in Spark; name -> sum, float32.

    packed: PACKED_COLUMNS, arrays of a name having the same shape in every shard. Shards are added
    in the order of their ids, in float64: the result does not depend on which task ends first.
    """
    parts = packed.groupBy("name", "chunk").applyInPandas(_sum_chunk, _SUM_COLUMNS).toPandas()
    sums: Arrays = {}
    for name, chunks in parts.sort_values("chunk").groupby("name"):
        flat = np.frombuffer(b"".join(chunks["data"]), dtype=np.float32)
        width = int(chunks["width"].iloc[0])
        sums[str(name)] = flat.reshape(-1, width) if width else flat
    return sums


def _sum_chunk(rows: pd.DataFrame) -> pd.DataFrame:
    ordered = rows.sort_values("shard_id")
    parts = (
        np.frombuffer(data, dtype).astype(np.float64)
        for data, dtype in zip(ordered["data"], ordered["dtype"], strict=True)
    )
    total = np.add.reduce(list(parts)).astype(np.float32)
    first = ordered.iloc[0]
    return pd.DataFrame(
        {
            "name": [first["name"]],
            "chunk": [first["chunk"]],
            "width": [first["width"]],
            "data": [total.tobytes()],
        }
    )


def _call_kernel(
    batches: Iterable[pa.RecordBatch], *, kernel: Kernel, shipped: tuple[Shipped, ...]
) -> Iterator[pa.RecordBatch]:
    for shard_key, shard_id, shard in unpack(batches):
        yield from pack(shard_key, shard_id, kernel(shard_id, shard, _loaded(shipped)))


def _call_for_users(
    batches: Iterable[pa.RecordBatch], *, kernel: VectorKernel, shipped: tuple[Shipped, ...]
) -> Iterator[pa.RecordBatch]:
    for _, shard_id, shard in unpack(batches):
        vectors = kernel(shard, _loaded(shipped))
        keys = unpack_texts(shard["user_ids"])
        n_edges = np.diff(shard["indptr"]) + np.diff(shard["held_indptr"])
        columns = [
            pa.array(keys, pa.string()),
            as_lists(vectors),
            pa.array([shard_id] * len(keys), pa.int32()),
            pa.array(n_edges),
        ]
        names = ["key", "vector", "shard_id", "n_edges"]
        yield from pa.Table.from_arrays(columns, names).to_batches(_USERS_PER_BATCH)


def _loaded(shipped: tuple[Shipped, ...]) -> Arrays:
    return {name: array for part in shipped for name, array in part.load().items()}


def _gram_of_shard(shard_id: int, shard: Arrays, shared: Arrays, *, scaling: Scaling) -> Arrays:
    R = normalised(shard, shared, scaling)
    with naming_out_of_memory(shard_id):
        return {"sum": gram_product(R, shared["Y"], device_of_shard(shard_id))}


def as_lists(vectors: np.ndarray) -> pa.ListArray:
    """The rows of float32[n, d] as an Arrow list column, sharing memory."""
    values = pa.array(np.ascontiguousarray(vectors, np.float32).ravel())
    offsets = np.arange(len(vectors) + 1, dtype=np.int32) * vectors.shape[1]
    return pa.ListArray.from_arrays(pa.array(offsets), values)
