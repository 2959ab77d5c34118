"""Alternating least squares by Spark MLlib: the baseline that users can switch to."""

from __future__ import annotations

from pyspark.ml.recommendation import ALS
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from interest_graph.config.train import TrainConfig
from interest_graph.train.edges import count_edges, with_validation
from interest_graph.train.fitted import FittedModel

_ID_PARTITIONS = 8


class Als:
    """Implicit-feedback ALS: confidence 1 + alpha * weight, one vector a user and an item.

    Hu, Koren, Volinsky, Collaborative filtering for implicit feedback datasets, ICDM 2008.
    """

    name = "als"

    def __init__(self, _spark: SparkSession, config: TrainConfig, _work_dir: str) -> None:
        self._settings, self._seed = config.als, config.seed

    def fit(self, edges: DataFrame, validation: DataFrame | None = None) -> FittedModel:
        """Fit to edges and validation pairs."""
        count_edges(edges)
        pairs = with_validation(edges, validation)
        users, items = _numbers(edges, "user_id"), _numbers(edges, "item_id")
        numbered = pairs.join(users, "user_id").join(items, "item_id")
        model = self._als().fit(numbered.select("user", "item", "weight"))
        return FittedModel(
            self.name,
            user_vectors=_vectors(model.userFactors, users, "user"),
            item_vectors=_vectors(model.itemFactors, items, "item"),
        )

    def _als(self) -> ALS:
        settings = self._settings
        return ALS(
            userCol="user",
            itemCol="item",
            ratingCol="weight",
            implicitPrefs=True,
            rank=settings.rank[0],
            alpha=settings.alpha[0],
            regParam=settings.regularization[0],
            maxIter=settings.iterations,
            numUserBlocks=settings.blocks,
            numItemBlocks=settings.blocks,
            seed=self._seed,
        )


def _numbers(edges: DataFrame, column: str) -> DataFrame:
    """Each id of `column` with a 32-bit number of its own, the same each time, as MLlib wants it.

    The numbers interleave the sorted partitions, so that no single task sees all ids.
    """
    parts = edges.select(column).distinct().repartition(_ID_PARTITIONS, column)
    long_id = F.monotonically_increasing_id()  # partition << 33 | row
    row, partition = long_id.bitwiseAND((1 << 33) - 1), F.shiftright(long_id, 33)
    number = (row * _ID_PARTITIONS + partition).cast("int")
    name = column.removesuffix("_id")
    return parts.sortWithinPartitions(column).withColumn(name, number)


def _vectors(factors: DataFrame, numbers: DataFrame, name: str) -> DataFrame:
    """MLlib's factors by our ids: key, vector."""
    named = factors.join(numbers, factors["id"] == numbers[name])
    return named.select(F.col(f"{name}_id").alias("key"), F.col("features").alias("vector"))
