"""Baselines: popularity, and alternating least squares by Spark MLlib."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import product

from pyspark.ml.recommendation import ALS
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from interest_graph.cache_scope import persistent_rdds, unpersist_rdds
from interest_graph.config.base import Section
from interest_graph.config.train import TrainConfig
from interest_graph.train.edges import all_pairs, count_edges
from interest_graph.train.fitted import FittedModel
from interest_graph.train.tuning.candidates import best_of
from interest_graph.train.tuning.validation import Trial, log_of, rank_held_out


class Popularity:
    """score(u, i) = number of users of item i: vectors [n_users] for items and [1.0] for users."""

    name = "popularity"

    def __init__(self, _spark: SparkSession, _config: TrainConfig, _work_dir: str) -> None:
        pass

    def fit(self, edges: DataFrame, validation: DataFrame | None = None) -> FittedModel:
        """Count each item's users in edges and validation pairs.

        Raises TrainingError without edges.
        """
        count_edges(edges)
        pairs = all_pairs(edges, validation)
        n_users = F.countDistinct("user_id").cast("float")
        items = pairs.groupBy(F.col("item_id").alias("key")).agg(F.array(n_users).alias("vector"))
        users = pairs.select(F.col("user_id").alias("key")).distinct()
        ones = users.withColumn("vector", F.array(F.lit(1.0).cast("float")))
        return FittedModel(self.name, user_vectors=ones, item_vectors=items)


_ID_PARTITIONS = 8
# MLlib keeps the factors in memory under these names, and has no call to let them go.
_KEPT_BY_MLLIB = ("userFactors", "itemFactors")


class Candidate(Section):
    """Settings of one factorisation; MLlib's names are rank, alpha and regParam."""

    rank: int
    alpha: float
    regularization: float


@dataclass(frozen=True)
class Als:
    """Matrix factorisation of implicit feedback, with confidence 1 + alpha * weight, by MLlib.

    Hu, Koren, Volinsky, Collaborative filtering for implicit feedback datasets, ICDM 2008.
    candidates: settings to compare on the validation pairs; without such pairs the first is used.
    trials: metrics of the candidates, once they have been compared.
    """

    config: TrainConfig
    candidates: tuple[Candidate, ...]
    trials: tuple[Trial, ...] = ()
    name: str = "als"

    def fit(self, edges: DataFrame, validation: DataFrame | None = None) -> FittedModel:
        """Choose settings on the validation pairs, if any, then fit to edges and validation pairs.

        Raises TrainingError without edges.
        """
        count_edges(edges)
        tuned = self.tuned(edges, validation) if validation is not None else self
        pairs = all_pairs(edges, validation)
        users, items = _numbers(pairs, "user_id"), _numbers(pairs, "item_id")
        numbered = pairs.join(users, "user_id").join(items, "item_id")
        spark = edges.sparkSession
        before = persistent_rdds(spark, _KEPT_BY_MLLIB)
        model = tuned._als().fit(numbered.select("user", "item", "weight"))
        fitted = FittedModel(
            self.name,
            user_vectors=_vectors(model.userFactors, users, "user"),
            item_vectors=_vectors(model.itemFactors, items, "item"),
            log=log_of(spark, self.name, tuned.trials),
        )
        kept = persistent_rdds(spark, _KEPT_BY_MLLIB) - before
        fitted.held.callback(unpersist_rdds, spark, kept)
        return fitted

    def tuned(self, edges: DataFrame, validation: DataFrame) -> Als:
        """This model with only the candidate whose NDCG on the validation pairs is highest."""
        if len(self.candidates) == 1:
            return self
        alone = [replace(self, candidates=(candidate,)) for candidate in self.candidates]
        config = self.config
        with ExitStack() as held:
            fitted = [held.enter_context(model.fit(edges)) for model in alone]
            ranking = rank_held_out(fitted, edges, validation, config.validation, config.seed)
        trials = ranking.trials[:-1]  # the last one is their blend
        return replace(self, candidates=(self.candidates[best_of(trials)],), trials=trials)

    def _als(self) -> ALS:
        settings, chosen = self.config.als, self.candidates[0]
        return ALS(
            userCol="user",
            itemCol="item",
            ratingCol="weight",
            implicitPrefs=True,
            rank=chosen.rank,
            alpha=chosen.alpha,
            regParam=chosen.regularization,
            maxIter=settings.iterations,
            numUserBlocks=settings.blocks,
            numItemBlocks=settings.blocks,
            seed=self.config.seed,
        )


def als(_spark: SparkSession, config: TrainConfig, _work_dir: str) -> Als:
    """ALS with a candidate for every combination of the configured rank, alpha, regularization."""
    settings = config.als
    grid = product(settings.rank, settings.alpha, settings.regularization)
    candidates = (Candidate(rank=r, alpha=a, regularization=reg) for r, a, reg in grid)
    return Als(config=config, candidates=tuple(candidates))


def _numbers(pairs: DataFrame, column: str) -> DataFrame:
    """Number the distinct ids of `column`, because MLlib takes 32-bit integers only.

    `column` is user_id or item_id; the result has it and the number as user or item. The ids are
    numbered within hash partitions (number = row * partitions + partition), so that no single task
    sorts all ids.
    """
    parts = pairs.select(column).distinct().repartition(_ID_PARTITIONS, column)
    long_id = F.monotonically_increasing_id()  # partition << 33 | row
    row, partition = long_id.bitwiseAND((1 << 33) - 1), F.shiftright(long_id, 33)
    number = (row * _ID_PARTITIONS + partition).cast("int")
    name = column.removesuffix("_id")
    return parts.sortWithinPartitions(column).withColumn(name, number)


def _vectors(factors: DataFrame, numbers: DataFrame, name: str) -> DataFrame:
    """MLlib's factors (id, features) as key (our id), vector; `numbers` as from `_numbers`."""
    named = factors.join(numbers, factors["id"] == numbers[name])
    return named.select(F.col(f"{name}_id").alias("key"), F.col("features").alias("vector"))
