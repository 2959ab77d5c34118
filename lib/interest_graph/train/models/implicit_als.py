"""Implicit ALS in one worker: for graphs that fit one, many times as fast as MLlib's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import product

import pyarrow as pa
from pyspark import StorageLevel
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from scipy import sparse

from interest_graph.config.train import TrainConfig
from interest_graph.device import several_threads
from interest_graph.errors import TrainingError
from interest_graph.train.distributed.all_reduce import as_lists
from interest_graph.train.distributed.errors import worker_errors
from interest_graph.train.distributed.slots import cores_of_lone_task
from interest_graph.train.edges import EdgeCounts, all_pairs, count_edges
from interest_graph.train.fitted import FittedModel
from interest_graph.train.kernels.implicit_als import AlsSettings, implicit_factors
from interest_graph.train.kernels.matrix import read_interactions
from interest_graph.train.kernels.ranking import Codes, Floats
from interest_graph.train.tuning.candidates import best_of, try_candidates
from interest_graph.train.tuning.ensemble_weights import Score
from interest_graph.train.tuning.validation import Trial, log_of

_COLUMNS = "is_user BOOLEAN, key STRING, vector ARRAY<FLOAT>"
_ROWS_PER_BATCH = 50_000
_BYTES_PER_EDGE = 250  # as ids, and in both directions with their confidence and products
_COPIES = 8  # of all vectors at the same time: directions, residuals, images, lists


@dataclass(frozen=True)
class ImplicitAls:
    """Matrix factorisation of kernels/implicit_als.py.

    candidates: settings to compare on the validation pairs; without such pairs the first is used.
    trials: metrics of the candidates, once they have been compared.
    """

    spark: SparkSession
    config: TrainConfig
    candidates: tuple[AlsSettings, ...]
    trials: tuple[Trial, ...] = ()
    name: str = "implicit_als"

    def fit(self, edges: DataFrame, validation: DataFrame | None = None) -> FittedModel:
        """Choose settings on the validation pairs, if any, then fit to edges and validation pairs.

        Raises TrainingError without edges or when the worker would need more than train.worker_mb.
        """
        self._require_memory(edges)
        tuned = self.tuned(edges, validation) if validation is not None else self
        compute = partial(
            _vectors,
            settings=tuned.candidates[0],
            seed=self.config.seed,
            n_threads=cores_of_lone_task(self.spark),
        )
        pairs = all_pairs(edges, validation).withColumn("is_held_out", F.lit(False))
        vectors = (
            pairs.repartition(1).mapInArrow(compute, _COLUMNS).persist(StorageLevel.MEMORY_AND_DISK)
        )
        with worker_errors():  # computed at once: an error is this model's, not its reader's
            vectors.count()
        users, items = (
            vectors.where(F.col("is_user") == F.lit(is_user)).drop("is_user")
            for is_user in (True, False)
        )
        log = log_of(self.spark, self.name, tuned.trials)
        fitted = FittedModel(self.name, user_vectors=users, item_vectors=items, log=log)
        fitted.held.callback(vectors.unpersist)
        return fitted

    def tuned(self, edges: DataFrame, validation: DataFrame) -> ImplicitAls:
        """This model with only the candidate whose NDCG on the validation pairs is highest.

        They are compared after half of their iterations, when they are in the same order already.
        """
        if len(self.candidates) == 1:
            return self
        score_of = partial(_score_halfway, seed=self.config.seed)
        trials = try_candidates(self.candidates, score_of, edges, validation, self.config)
        return replace(self, candidates=(self.candidates[best_of(trials)],), trials=trials)

    def fits(self, counts: EdgeCounts) -> bool:
        """Whether a graph of this size can be fitted within train.worker_mb."""
        return self._bytes(counts) <= self.config.worker_mb * 2**20

    def _bytes(self, counts: EdgeCounts) -> float:
        dimension = max(each.dimension for each in self.candidates)
        of_vectors = 4 * _COPIES * dimension * (counts.n_users + counts.n_items)
        return _BYTES_PER_EDGE * counts.n_edges + of_vectors

    def _require_memory(self, edges: DataFrame) -> None:
        counts = count_edges(edges)
        if not self.fits(counts):
            needed, allowed = self._bytes(counts) / 2**20, self.config.worker_mb
            raise TrainingError(
                f"{self.name} needs about {needed:,.0f} MB in one worker for "
                f"{counts.n_users:,} users and {counts.n_items:,} items; train.worker_mb is "
                f"{allowed:,}: raise it or choose als, which divides the vectors among workers"
            )


def implicit_als(spark: SparkSession, config: TrainConfig, _work_dir: str) -> ImplicitAls:
    """The model with a candidate for every combination of the settings of train.implicit_als."""
    given = config.implicit_als
    grid = product(given.dimension, given.alpha, given.regularization)
    candidates = (AlsSettings(d, alpha, ridge, given.iterations) for d, alpha, ridge in grid)
    return ImplicitAls(spark=spark, config=config, candidates=tuple(candidates))


def _vectors(
    batches: Iterator[pa.RecordBatch], *, settings: AlsSettings, seed: int, n_threads: int
) -> Iterator[pa.RecordBatch]:
    """Rows of _COLUMNS of all users and items."""
    interactions = read_interactions(batches)
    with several_threads(n_threads):
        factors = implicit_factors(interactions.matrix, settings, seed=seed)
    ids = (interactions.users, interactions.items)
    for is_user, keys, vectors in zip((True, False), ids, factors, strict=True):
        columns = [pa.repeat(is_user, len(keys)), keys, as_lists(vectors)]
        rows = pa.Table.from_arrays(columns, ["is_user", "key", "vector"])
        yield from rows.to_batches(_ROWS_PER_BATCH)


def _score_halfway(matrix: sparse.csr_matrix, settings: AlsSettings, *, seed: int) -> Score:
    """Scores of rows of users after half of the iterations."""
    halfway = replace(settings, iterations=-(-settings.iterations // 2))
    X, Y = implicit_factors(matrix, halfway, seed=seed)

    def score(block: Codes) -> Floats:
        scores: Floats = X[block] @ Y.T
        return scores

    return score
