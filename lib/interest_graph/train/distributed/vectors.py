"""Vectors of users and items: by products over all shards of a graph, then as frames."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from interest_graph.arrays import Arrays, Shipped, shipping
from interest_graph.config import TrainConfig
from interest_graph.ids import ITEM, USER
from interest_graph.train.distributed.all_reduce import as_lists, gram
from interest_graph.train.distributed.sharded_graph import ShardedGraph
from interest_graph.train.fitted import VECTOR_COLUMNS, FittedModel
from interest_graph.train.kernels.krylov import Spectrum, leading_spectrum
from interest_graph.train.kernels.sparse import Scaling, normalised

_ITEMS_IN_ONE_TASK = 100_000


def spectrum_of(graph: ShardedGraph, config: TrainConfig, scaling: Scaling) -> Spectrum:
    """The leading singular vectors of the graph's R^; one job a product."""
    return leading_spectrum(
        lambda Y: gram(graph, Y, scaling),
        len(graph.items),
        config.dimension,
        n_products=config.spectral.n_products,
        seed=config.seed,
    )


def project_users(shard: Arrays, shared: Arrays, *, scaling: Scaling) -> np.ndarray:
    """Vectors of the shard's users, R^_s Y: float32[users, d]; shared: Y float32[items, d]."""
    projected: np.ndarray = normalised(shard, shared, scaling) @ shared["Y"]
    return projected


def fitted_vectors(
    name: str,
    graph: ShardedGraph,
    users: DataFrame,
    items: np.ndarray,
    *,
    work_dir: str,
    partition: DataFrame,
    log: DataFrame | None = None,
) -> FittedModel:
    """A FittedModel of vectors only. users: USER_COLUMNS; items: float32[items, d].

    The vectors are written to work_dir, so that the shards need not stay in memory; one job.
    partition, log: as in FittedModel.
    """
    path = f"{work_dir}/vectors"
    with shipping(graph.spark, {"vectors": items.astype(np.float32)}) as shipped:
        both = users.withColumn("kind", F.lit(USER)).unionByName(
            _item_rows(graph, shipped).withColumn("kind", F.lit(ITEM)), allowMissingColumns=True
        )
        both.write.mode("overwrite").parquet(path)
    rows = graph.spark.read.schema(both.schema).parquet(path)
    of_users = rows.where(F.col("kind") == USER)
    return FittedModel(
        name=name,
        user_vectors=of_users.select("key", "vector"),
        item_vectors=rows.where(F.col("kind") == ITEM).select("key", "vector"),
        log=log,
        shards=of_users.selectExpr("key AS user_id", "shard_id", "n_edges"),
        partition=partition,
    )


def _item_rows(graph: ShardedGraph, shipped: Shipped) -> DataFrame:
    """key, vector of every item; the vectors reach the workers as one file of numbers."""
    numbers = graph.items.numbers.select("item_id", "item")
    if len(graph.items) > _ITEMS_IN_ONE_TASK:
        numbers = numbers.repartition(graph.spark.sparkContext.defaultParallelism)
    return numbers.mapInArrow(partial(_vectors_of, shipped=shipped), VECTOR_COLUMNS)


def _vectors_of(batches: Iterable[pa.RecordBatch], *, shipped: Shipped) -> Iterator[pa.RecordBatch]:
    """Batches of item_id, item -> key, vector."""
    vectors = shipped.load()["vectors"]
    for batch in batches:
        own = vectors[batch.column("item").to_numpy(zero_copy_only=False)]
        yield pa.RecordBatch.from_arrays(
            [batch.column("item_id"), as_lists(own)], names=["key", "vector"]
        )
