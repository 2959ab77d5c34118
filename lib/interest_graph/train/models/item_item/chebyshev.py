"""Chebyshev filters as item-item weights, chosen among many settings at the price of a few."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial

from pyspark.sql import DataFrame, SparkSession

from interest_graph.config.train import TrainConfig
from interest_graph.train.edges import EdgeCounts
from interest_graph.train.fitted import FittedModel
from interest_graph.train.kernels.chebyshev import Operator, chebyshev_weights
from interest_graph.train.models.item_item.base import Recipe, WholeMatrixModel, blockwise_bytes
from interest_graph.train.models.item_item.ideal_filter import IdealFilters
from interest_graph.train.tuning.filter_bank import FilterGrid, FilterSum, merged
from interest_graph.train.tuning.validation import Trial, log_of, rank_held_out

# Bytes of an item for each singular vector, while they are computed: bases, images, copies.
_BYTES_PER_VECTOR = 50


@dataclass(frozen=True)
class Chebyshev:
    """Low-pass filters on the item graph between powers of the degrees; kernels/chebyshev.py.

    Kim et al., "Graph Spectral Filtering with Chebyshev Interpolation for Recommendation"
    (ChebyCF), SIGIR 2025. The polynomial comes down to weights between items, of which those of
    largest magnitude are kept, the ideal filter to vectors, over all shards. filters: with their
    weights in a sum; none before the settings are chosen. trials: metrics of the filters that were
    compared.
    """

    spark: SparkSession
    config: TrainConfig
    work_dir: str
    name: str = "chebyshev"
    filters: FilterSum = ()
    trials: tuple[Trial, ...] = ()

    @property
    def grid(self) -> FilterGrid:
        """The settings of train.chebyshev."""
        settings = self.config.chebyshev
        return FilterGrid(
            tuple(settings.degree_exponent),
            tuple(settings.flatness),
            tuple(settings.ideal_weight),
            tuple(settings.n_vectors),
        )

    def with_filters(self, filters: FilterSum) -> Chebyshev:
        """The weighted sum of these filters, with nothing left to choose."""
        return replace(self, filters=tuple(filters))

    def tuned(self, edges: DataFrame, validation: DataFrame) -> Chebyshev:
        """The average of the good filters of the degree exponent that validation pairs choose.

        Raises TrainingError when a worker would need more than train.worker_mb.
        """
        if self.filters or len(list(self.grid.settings())) == 1:
            return self
        self._whole_matrix().require_memory(edges)
        validate, seed = self.config.validation, self.config.seed
        ranking = rank_held_out([], edges, validation, validate, seed, self.grid)
        chosen = self.with_filters(ranking.best_filters)
        return replace(chosen, trials=ranking.trials[:-1])

    def fit(self, edges: DataFrame, validation: DataFrame | None = None) -> FittedModel:
        """Choose the filter on the validation pairs, if any, then fit to edges and those pairs.

        Raises TrainingError without edges or when a worker would need more than train.worker_mb.
        """
        tuned = self.tuned(edges, validation) if validation is not None else self
        operators = tuned._operators()
        with ExitStack() as held:
            parts: list[FittedModel] = []
            if any(any(each.coefficients) for each in operators):
                parts.append(held.enter_context(tuned._whole_matrix().fit(edges, validation)))
            if any(each.ideal for each in operators):
                ideal = IdealFilters(self.config, self.work_dir, operators)
                parts.append(held.enter_context(ideal.fit(self.name, edges, validation)))
            log = log_of(self.spark, self.name, tuned.trials)
            return replace(_joined(parts), name=self.name, log=log, held=held.pop_all())

    def fits(self, counts: EdgeCounts) -> bool:
        """Whether a graph of this size can be fitted within train.worker_mb."""
        return self._whole_matrix().fits(counts)

    def _operators(self) -> tuple[Operator, ...]:
        """The chosen filters, or else the first of the grid."""
        return merged(self.filters or [(next(self.grid.settings()), 1.0)])

    def _whole_matrix(self) -> WholeMatrixModel:
        settings = self.config.chebyshev
        needed = partial(_bytes, n_vectors=max(settings.n_vectors), kept=settings.weights_per_item)
        return WholeMatrixModel(
            spark=self.spark,
            config=self.config,
            name=self.name,
            recipe=Recipe(chebyshev_weights, rows="src", bytes_needed=needed),
            candidates=({"keep": settings.weights_per_item, "operators": self._operators()},),
        )


def _joined(parts: Sequence[FittedModel]) -> FittedModel:
    """One model of the weights of one part and the vectors of another."""
    weights = next((part for part in parts if part.item_weights is not None), parts[0])
    vectors = next((part for part in parts if part.item_vectors is not None), parts[0])
    return replace(vectors, item_weights=weights.item_weights)


def _bytes(counts: EdgeCounts, *, n_vectors: int, kept: int) -> float:
    vectors = _BYTES_PER_VECTOR * min(n_vectors, counts.n_items) * counts.n_items
    return vectors + blockwise_bytes(counts, kept=kept)
