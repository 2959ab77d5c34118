"""Popularity: the baseline that knows no user."""

from __future__ import annotations

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from interest_graph.config.train import TrainConfig
from interest_graph.train.edges import count_edges, with_validation
from interest_graph.train.fitted import FittedModel


class Popularity:
    """Vectors of length 1: an item's is the number of its users, a user's is 1."""

    name = "popularity"

    def __init__(self, _spark: SparkSession, _config: TrainConfig, _work_dir: str) -> None:
        pass

    def fit(self, edges: DataFrame, validation: DataFrame | None = None) -> FittedModel:
        """Count each item's users, those of the validation pairs included."""
        count_edges(edges)
        pairs = with_validation(edges, validation)
        known = pairs.groupBy(F.col("item_id").alias("key"))
        n_users = F.countDistinct("user_id").cast("float")
        items = known.agg(F.array(n_users).alias("vector"), F.bool_and("is_held_out").alias("_new"))
        users = edges.select(F.col("user_id").alias("key")).distinct()
        return FittedModel(
            self.name,
            user_vectors=users.withColumn("vector", F.array(F.lit(1.0).cast("float"))),
            item_vectors=items.where(~F.col("_new")).drop("_new"),
        )
