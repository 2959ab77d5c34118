"""Models whose item-item weights come from all edges at once, in workers within a byte budget."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Generic, Literal, TypeVar

import numpy as np
import pyarrow as pa
from pyspark import StorageLevel
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from scipy import sparse

from interest_graph.config.base import Section
from interest_graph.config.models import ValidationConfig
from interest_graph.errors import TrainingError
from interest_graph.train.edges import EdgeCounts, all_pairs, count_edges, with_validation
from interest_graph.train.fitted import ITEM_WEIGHT_COLUMNS, FittedModel
from interest_graph.train.matrix import Interactions, read_interactions, weight_batches
from interest_graph.train.placement import partition_keys
from interest_graph.train.ranking import Codes, mean_ndcg, sample_users
from interest_graph.train.trials import TRIAL_COLUMNS, Trial, log_of

S = TypeVar("S", bound=Section)
Kernel = Callable[[sparse.csr_matrix, Codes, S], sparse.csr_matrix]


@dataclass(frozen=True)
class Recipe(Generic[S]):
    """How a worker computes weights from the whole matrix R.

    kernel: (R, items, settings) -> weights, one row for each of the items; rows: whether these
    are the src or the dst items; is_divisible: whether several workers may take a part of the items
    each; bytes_needed: peak of one worker for a graph of that size.
    """

    kernel: Kernel[S]
    rows: Literal["src", "dst"]
    is_divisible: bool
    bytes_needed: Callable[[EdgeCounts], float]

    def weights(
        self, matrix: sparse.csr_matrix, part: int, n_parts: int, settings: S
    ) -> sparse.csr_matrix:
        """W [src, dst] with the weights of every n_parts-th item from number `part` on."""
        n_items = matrix.shape[1]
        items = np.arange(part, n_items, n_parts)
        cells = self.kernel(matrix, items, settings).tocoo()
        own, other = items[cells.row], cells.col
        places = (own, other) if self.rows == "src" else (other, own)
        return sparse.csr_matrix((cells.data, places), shape=(n_items, n_items), dtype=np.float32)


@dataclass(frozen=True)
class WholeMatrixModel(Generic[S]):
    """A model that a recipe computes.

    candidates: settings to compare on the validation pairs; the first is used where there are none;
    trials: how the candidates fared.
    """

    spark: SparkSession
    name: str
    recipe: Recipe[S]
    candidates: tuple[S, ...]
    budget_mb: int
    validation: ValidationConfig
    seed: int
    trials: tuple[Trial, ...] = ()

    def fit(self, edges: DataFrame, validation: DataFrame | None = None) -> FittedModel:
        """Choose settings on the validation pairs, if any, then fit to all pairs."""
        self._require_memory(count_edges(edges))
        tuned = self.tuned(edges, validation) if validation is not None else self
        weights = tuned._weights(all_pairs(edges, validation))
        log = log_of(self.spark, self.name, tuned.trials)
        return FittedModel(self.name, item_weights=weights, log=log)

    def tuned(self, edges: DataFrame, validation: DataFrame) -> WholeMatrixModel[S]:
        """This model with the one candidate that ranks the validation pairs best."""
        if len(self.candidates) == 1:
            return self
        self._require_memory(count_edges(edges))
        compute = partial(
            _try_candidates,
            recipe=self.recipe,
            candidates=self.candidates,
            validation=self.validation,
            seed=self.seed,
        )
        pairs = with_validation(edges, validation).repartition(1)
        rows = pairs.mapInArrow(compute, TRIAL_COLUMNS).collect()  # one row a candidate
        trials = tuple(Trial(**row.asDict()) for row in rows)
        best = max(trials, key=lambda trial: (trial.metric, -trial.trial))
        return replace(self, candidates=(self.candidates[best.trial],), trials=trials)

    def _weights(self, pairs: DataFrame) -> DataFrame:
        """ITEM_WEIGHT_COLUMNS, the items being shared out to as many workers as there are slots."""
        n_parts = self.spark.sparkContext.defaultParallelism if self.recipe.is_divisible else 1
        keys = _keys_in_order(self.spark, n_parts)
        parts = F.explode(F.array([F.lit(key) for key in keys])).alias("part")
        copies = pairs.select("*", F.lit(False).alias("is_held_out"), parts).repartition(
            n_parts, "part"
        )
        settings = self.candidates[0]
        compute = partial(_weight_batches, recipe=self.recipe, settings=settings, keys=keys)
        weights = copies.mapInArrow(compute, ITEM_WEIGHT_COLUMNS)
        # Worked out once, though read by the table writer, the top-k and a blend.
        return weights.persist(StorageLevel.MEMORY_AND_DISK)

    def fits(self, counts: EdgeCounts) -> bool:
        """Whether a worker's budget allows for a graph of that size."""
        return self.recipe.bytes_needed(counts) <= self.budget_mb * 2**20

    def _require_memory(self, counts: EdgeCounts) -> None:
        if not self.fits(counts):
            needed_mb = self.recipe.bytes_needed(counts) / 2**20
            raise TrainingError(
                f"{self.name} needs about {needed_mb:,.0f} MB in one worker for {counts.n_items:,} "
                f"items; train.worker_mb is {self.budget_mb:,}: raise it or choose another model"
            )


def _keys_in_order(spark: SparkSession, n_parts: int) -> list[int]:
    found = partition_keys(spark, n_parts).orderBy("partition").collect()
    return [int(row["key"]) for row in found]


def _weight_batches(
    batches: Iterator[pa.RecordBatch], *, recipe: Recipe[S], settings: S, keys: list[int]
) -> Iterator[pa.RecordBatch]:
    received = [batch for batch in batches if batch.num_rows]
    if not received:
        return
    part = keys.index(received[0]["part"][0].as_py())
    interactions = read_interactions(received)
    weights = recipe.weights(interactions.matrix, part, len(keys), settings)
    yield from weight_batches(weights, interactions.items)


def _try_candidates(
    batches: Iterator[pa.RecordBatch],
    *,
    recipe: Recipe[S],
    candidates: tuple[S, ...],
    validation: ValidationConfig,
    seed: int,
) -> Iterator[pa.RecordBatch]:
    interactions = read_interactions(batches)
    for number, settings in enumerate(candidates):
        started = time.monotonic()
        weights = recipe.weights(interactions.matrix, 0, 1, settings)
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
