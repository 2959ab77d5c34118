"""Popularity: the baseline that knows no user."""

from __future__ import annotations

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from interest_graph.config.train import TrainConfig
from interest_graph.train.edges import all_pairs, count_edges
from interest_graph.train.fitted import FittedModel


class Popularity:
    """Vectors of length 1: an item's is the number of its users, a user's is 1."""

    name = "popularity"

    def __init__(self, _spark: SparkSession, _config: TrainConfig, _work_dir: str) -> None:
        pass

    def fit(self, edges: DataFrame, validation: DataFrame | None = None) -> FittedModel:
        """Count each item's users, those of the validation pairs included."""
        count_edges(edges)
        pairs = all_pairs(edges, validation)
        n_users = F.countDistinct("user_id").cast("float")
        items = pairs.groupBy(F.col("item_id").alias("key")).agg(F.array(n_users).alias("vector"))
        users = pairs.select(F.col("user_id").alias("key")).distinct()
        ones = users.withColumn("vector", F.array(F.lit(1.0).cast("float")))
        return FittedModel(self.name, user_vectors=ones, item_vectors=items)
