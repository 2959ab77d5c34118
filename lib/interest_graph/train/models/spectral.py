"""Spectral embedding: an ideal low-pass filter on the user-item graph, without training."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from pyspark.sql import DataFrame, SparkSession

from interest_graph.arrays import shipping
from interest_graph.config import TrainConfig
from interest_graph.train.distributed.all_reduce import gram, user_rows
from interest_graph.train.distributed.vectors import (
    fitted_vectors,
    project_users,
    spectrum_of,
)
from interest_graph.train.fitted import FittedModel
from interest_graph.train.kernels.krylov import sharpened
from interest_graph.train.kernels.sparse import Scaling
from interest_graph.train.sharding.memory_model import product_costs
from interest_graph.train.sharding.partition import partition
from interest_graph.train.sharding.report import partition_frame, report_partition


@dataclass(frozen=True)
class Spectral:
    """score(u, i) = (Du^-user_exponent R Di^-1/2 V V')_ui * d_i^popularity.

    V [items, d]: the leading singular vectors of R^ = Du^-1/2 R Di^-1/2; d_i: weighted degree of
    the item. This is the ideal low-pass filter of GF-CF (Shen et al., "How Powerful is Graph
    Convolution for Recommendation?", CIKM 2021), with popularity = 1/2 there; with sharpening, that
    of BSPM (Choi et al., SIGIR 2023; `sharpened` in kernels/krylov.py). Vectors: of users
    Du^-user_exponent R Di^-1/2 V, of items d_i^popularity V_i.
    """

    spark: SparkSession
    config: TrainConfig
    work_dir: str
    name: str = "spectral"

    def fit(self, edges: DataFrame, validation: DataFrame | None = None) -> FittedModel:
        """Fit to edges and validation pairs together: no setting is chosen on the latter.

        Raises ConfigError when a shard needs more than train.worker_mb, TrainingError with no edge.
        """
        settings = self.config.spectral
        dimension = settings.dimension or self.config.dimension
        config = self.config.model_copy(update={"dimension": dimension})
        costs = product_costs(dimension)
        graph = partition(edges, validation, config, costs)
        try:
            report = report_partition(graph, costs)
            report.require_memory(config.worker_mb)
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
                users = user_rows(graph, kernel, shared, of_users.names)
                shards = partition_frame(graph, report)
                return fitted_vectors(
                    self.name, graph, users, items, work_dir=self.work_dir, partition=shards
                )
        finally:
            graph.release()
