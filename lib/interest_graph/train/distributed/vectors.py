"""Vectors of users and items: by products over all shards of a graph, then as frames."""

from __future__ import annotations

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame

from interest_graph.arrays import Arrays
from interest_graph.config import TrainConfig
from interest_graph.train.distributed.all_reduce import gram
from interest_graph.train.distributed.sharded_graph import ShardedGraph
from interest_graph.train.fitted import VECTOR_COLUMNS, FittedModel
from interest_graph.train.kernels.krylov import Spectrum, leading_spectrum
from interest_graph.train.kernels.sparse import Scaling, normalised


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


def stored(users: DataFrame, work_dir: str) -> DataFrame:
    """USER_COLUMNS on disk, so that the shards need not stay in memory."""
    path = f"{work_dir}/users"
    users.write.mode("overwrite").parquet(path)
    return users.sparkSession.read.schema(users.schema).parquet(path)


def fitted_vectors(
    name: str,
    graph: ShardedGraph,
    users: DataFrame,
    items: np.ndarray,
    *,
    partition: DataFrame,
    log: DataFrame | None = None,
) -> FittedModel:
    """A FittedModel of vectors only. users: USER_COLUMNS; items: float32[items, d].

    partition, log: as in FittedModel.
    """
    rows = pd.DataFrame({"key": graph.items.ids, "vector": list(items.astype(np.float32))})
    return FittedModel(
        name=name,
        user_vectors=users.select("key", "vector"),
        item_vectors=graph.spark.createDataFrame(rows, VECTOR_COLUMNS),
        log=log,
        shards=users.selectExpr("key AS user_id", "shard_id", "n_edges"),
        partition=partition,
    )
