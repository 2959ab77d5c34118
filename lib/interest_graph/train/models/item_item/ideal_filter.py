"""Ideal low-pass filters over all shards, as vectors of users and items."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from pyspark.sql import DataFrame

from interest_graph.arrays import Arrays, shipping
from interest_graph.config import TrainConfig
from interest_graph.train.distributed.all_reduce import user_rows
from interest_graph.train.distributed.vectors import fitted_vectors, spectrum_of
from interest_graph.train.fitted import FittedModel
from interest_graph.train.kernels.chebyshev import Operator
from interest_graph.train.kernels.sparse import Scaling, normalised
from interest_graph.train.sharding.memory_model import product_costs
from interest_graph.train.sharding.partition import partition
from interest_graph.train.sharding.report import partition_frame, report_partition


@dataclass(frozen=True)
class IdealFilters:
    """The ideal parts of Chebyshev operators: r Di^-b V diag(a) V' Di^b for each of them.

    Vectors: of a user r Di^-b V, of an item a_v d_i^b V_i; those of several operators end to end.
    operators: at least one of them with an ideal part; see kernels/chebyshev.py.
    """

    config: TrainConfig
    work_dir: str
    operators: Sequence[Operator]

    def fit(self, name: str, edges: DataFrame, validation: DataFrame | None = None) -> FittedModel:
        """Fit to edges and validation pairs together, on train.n_shards shards.

        Raises ConfigError when a shard needs more than train.worker_mb, TrainingError with no edge.
        """
        ideal = [each for each in self.operators if each.ideal]
        dimension = max(len(each.ideal) for each in ideal)
        config = self.config.model_copy(update={"dimension": dimension})
        costs = product_costs(max(dimension, sum(len(each.ideal) for each in ideal)))
        graph = partition(edges, validation, config, costs)
        try:
            report = report_partition(graph, costs)
            report.require_memory(config.worker_mb)
            V = spectrum_of(graph, config, Scaling(with_held_out=True)).vectors
            degrees = graph.items.all_degrees[:, None]
            items = [
                V[:, : len(each.ideal)]
                * np.array(each.ideal, np.float32)[: V.shape[1]]
                * degrees**each.degree_exponent
                for each in ideal
            ]
            sides = [(each.degree_exponent, len(each.ideal)) for each in ideal]
            names = Scaling(with_held_out=True).names
            with shipping(graph.spark, {"V": V}) as shared:
                users = user_rows(graph, partial(_project, sides=sides), shared, names)
                return fitted_vectors(
                    name,
                    graph,
                    users,
                    np.hstack(items).astype(np.float32),
                    work_dir=self.work_dir,
                    partition=partition_frame(graph, report),
                )
        finally:
            graph.release()


def _project(shard: Arrays, shared: Arrays, *, sides: Sequence[tuple[float, int]]) -> np.ndarray:
    """Vectors of the shard's users: R_s Di^-b V, side by side; float32[users, sum of widths].

    sides: (b, number of singular vectors); shared: V float32[items, d] and the degrees.
    """
    parts = []
    for exponent, width in sides:
        scaling = Scaling(user=0.0, item=-exponent, with_held_out=True)
        parts.append(normalised(shard, shared, scaling) @ shared["V"][:, :width])
    return np.hstack(parts)
