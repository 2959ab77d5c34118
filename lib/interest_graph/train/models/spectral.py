"""Spectral embedding: an ideal low-pass filter on the user-item graph, without training."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame, SparkSession

from interest_graph.arrays import Arrays, shipping
from interest_graph.config import TrainConfig
from interest_graph.train.balance import Balance, measure_balance, partition_frame
from interest_graph.train.budget import product_costs
from interest_graph.train.exchange import gram, user_rows
from interest_graph.train.fitted import VECTOR_COLUMNS, FittedModel
from interest_graph.train.normalise import Scaling, normalised
from interest_graph.train.partition import partition
from interest_graph.train.shard import ShardedGraph
from interest_graph.train.sharpening import sharpened
from interest_graph.train.spectrum import Spectrum, leading_spectrum


@dataclass(frozen=True)
class Spectral:
    """score(u, i) = (Du^-user_exponent R Di^-1/2 V V')_ui * d_i^popularity.

    V holds the leading singular vectors of R^ = Du^-1/2 R Di^-1/2, d_i is an item's weighted
    degree: the ideal low-pass half of GF-CF (Shen et al., "How Powerful is Graph Convolution for
    Recommendation?", CIKM 2021), where popularity is 1/2. With sharpening that half of BSPM (Choi
    et al., SIGIR 2023; sharpening.py). Users' vectors are the part left of V', items' the rest.
    """

    spark: SparkSession
    config: TrainConfig
    work_dir: str
    name: str = "spectral"

    def fit(self, edges: DataFrame, validation: DataFrame | None = None) -> FittedModel:
        """Fit to the edges and the validation pairs: nothing is chosen on the latter."""
        settings = self.config.spectral
        dimension = settings.dimension or self.config.dimension
        config = self.config.model_copy(update={"dimension": dimension})
        costs = product_costs(dimension)
        graph = partition(edges, validation, config, costs)
        try:
            balance = measure_balance(graph, costs)
            balance.require_memory(config.worker_mb)
            scaling = Scaling(with_held_out=True)
            spectrum = spectrum_of(graph, config, scaling)
            items = sharpened(
                spectrum.vectors * graph.items.all_degrees[:, None] ** settings.popularity,
                lambda X: gram(graph, X.astype(np.float32), scaling),
                settings.sharpening,
            )
            of_users = replace(scaling, user=-settings.user_exponent)
            kernel = partial(project_users, scaling=of_users)
            with shipping(self.spark, {"Y": spectrum.vectors}) as shared:
                rows = user_rows(graph, kernel, shared, of_users.names)
                users = stored(rows, self.work_dir)
            return fitted_vectors(self.name, graph, balance, users, items)
        finally:
            graph.release()


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
    """R^_s Y: float32[users, d]."""
    projected: np.ndarray = normalised(shard, shared, scaling) @ shared["Y"]
    return projected


def stored(users: DataFrame, work_dir: str) -> DataFrame:
    """USER_COLUMNS on disk, so that the shards need not stay in memory."""
    path = str(Path(work_dir) / "users")
    users.write.mode("overwrite").parquet(path)
    return users.sparkSession.read.schema(users.schema).parquet(path)


def fitted_vectors(
    name: str,
    graph: ShardedGraph,
    balance: Balance,
    users: DataFrame,
    items: np.ndarray,
    log: DataFrame | None = None,
) -> FittedModel:
    """A model of vectors alone; users: USER_COLUMNS, items: float32[items, d]."""
    rows = pd.DataFrame({"key": graph.items.ids, "vector": list(items.astype(np.float32))})
    return FittedModel(
        name=name,
        user_vectors=users.select("key", "vector"),
        item_vectors=graph.spark.createDataFrame(rows, VECTOR_COLUMNS),
        log=log,
        shards=users.selectExpr("key AS user_id", "shard_id", "n_edges"),
        partition=partition_frame(graph, balance),
    )
