"""Models whose item-item weights one worker computes from all edges, within a byte budget."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Generic, TypeVar

import pyarrow as pa
from pyspark import StorageLevel
from pyspark.sql import DataFrame, SparkSession
from scipy import sparse

from interest_graph.config.base import Section
from interest_graph.config.models import ValidationConfig
from interest_graph.errors import TrainingError
from interest_graph.train.edges import EdgeCounts, count_edges, with_validation
from interest_graph.train.fitted import ITEM_WEIGHT_COLUMNS, FittedModel
from interest_graph.train.matrix import Interactions, read_interactions, weight_batches
from interest_graph.train.ranking import mean_ndcg, sample_users
from interest_graph.train.trials import TRIAL_COLUMNS, Trial, log_of

S = TypeVar("S", bound=Section)
Kernel = Callable[[sparse.csr_matrix, S], sparse.csr_matrix]


@dataclass(frozen=True)
class OneWorkerModel(Generic[S]):
    """Item-item weights from a kernel (R, settings) -> W that sees the whole matrix R.

    candidates: settings to compare on the validation pairs; the first is used where there are none;
    bytes_needed: peak of a worker for a graph of that size; trials: how the candidates fared.
    """

    spark: SparkSession
    name: str
    candidates: tuple[S, ...]
    kernel: Kernel[S]
    bytes_needed: Callable[[EdgeCounts], float]
    budget_mb: int
    validation: ValidationConfig
    seed: int
    trials: tuple[Trial, ...] = ()

    def fit(self, edges: DataFrame, validation: DataFrame | None = None) -> FittedModel:
        """Choose settings on the validation pairs, if any, then fit to all pairs."""
        tuned = self.tuned(edges, validation) if validation is not None else self
        self._require_memory(count_edges(edges))
        compute = partial(_weights, kernel=self.kernel, settings=tuned.candidates[0])
        pairs = with_validation(edges, validation).repartition(1)
        # Worked out once, though read by the table writer, the top-k and a blend.
        weights = pairs.mapInArrow(compute, ITEM_WEIGHT_COLUMNS).persist(
            StorageLevel.MEMORY_AND_DISK
        )
        return FittedModel(
            self.name, item_weights=weights, log=log_of(self.spark, self.name, tuned.trials)
        )

    def tuned(self, edges: DataFrame, validation: DataFrame) -> OneWorkerModel[S]:
        """This model with the one candidate that ranks the validation pairs best."""
        self._require_memory(count_edges(edges))
        compute = partial(
            _try_candidates,
            kernel=self.kernel,
            candidates=self.candidates,
            validation=self.validation,
            seed=self.seed,
        )
        pairs = with_validation(edges, validation).repartition(1)
        rows = pairs.mapInArrow(compute, TRIAL_COLUMNS).collect()  # one row a candidate
        trials = tuple(Trial(**row.asDict()) for row in rows)
        best = max(trials, key=lambda trial: (trial.metric, -trial.trial))
        return replace(self, candidates=(self.candidates[best.trial],), trials=trials)

    def _require_memory(self, counts: EdgeCounts) -> None:
        needed_mb = self.bytes_needed(counts) / 2**20
        if needed_mb > self.budget_mb:
            raise TrainingError(
                f"{self.name} needs about {needed_mb:,.0f} MB in one worker for {counts.n_items:,} "
                f"items; train.worker_mb is {self.budget_mb:,}: raise it or choose another model"
            )


def _weights(
    batches: Iterator[pa.RecordBatch], *, kernel: Kernel[S], settings: S
) -> Iterator[pa.RecordBatch]:
    interactions = read_interactions(batches)
    yield from weight_batches(kernel(interactions.everything, settings), interactions.items)


def _try_candidates(
    batches: Iterator[pa.RecordBatch],
    *,
    kernel: Kernel[S],
    candidates: tuple[S, ...],
    validation: ValidationConfig,
    seed: int,
) -> Iterator[pa.RecordBatch]:
    interactions = read_interactions(batches)
    for number, settings in enumerate(candidates):
        started = time.monotonic()
        weights = kernel(interactions.matrix, settings)
        metric = validation_ndcg(interactions, weights, validation, seed)
        peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        trial = Trial(number, metric, time.monotonic() - started, peak_mb)
        yield pa.RecordBatch.from_pylist([vars(trial)])


def validation_ndcg(
    interactions: Interactions, weights: sparse.csr_matrix, validation: ValidationConfig, seed: int
) -> float:
    """Mean NDCG on the held-out pairs of a sample of users when R @ W ranks the unseen items."""
    users = sample_users(interactions.n_held_out, at_most=validation.users, seed=seed)
    seen = interactions.matrix
    return mean_ndcg(
        lambda block: (seen[block] @ weights).toarray(),
        seen,
        interactions.held_out,
        interactions.n_held_out,
        users,
        validation.k,
    )
