"""Drops edges that carry little."""

from __future__ import annotations

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F


def drop_light_edges(edges: DataFrame, *, min_weight: float) -> DataFrame:
    """Keep edges of at least `min_weight`."""
    return edges.where(F.col("weight") >= min_weight)


def keep_heaviest_edges(edges: DataFrame, *, per_vertex: int, end: str = "src") -> DataFrame:
    """Keep the `per_vertex` heaviest edges at each `end`; ties go to the smaller other end."""
    other = "dst" if end == "src" else "src"
    heaviest_first = Window.partitionBy(end).orderBy(F.desc("weight"), other)
    ranked = edges.withColumn("_rank", F.row_number().over(heaviest_first))
    return ranked.where(F.col("_rank") <= per_vertex).drop("_rank")


def clean_edges(edges: DataFrame) -> DataFrame:
    """Drop self-loops and merge duplicates (src, dst, kind): weights and events add up."""
    proper = edges.where("src <> dst AND weight > 0")
    return proper.groupBy("src", "dst", "kind").agg(
        F.sum("weight").alias("weight"),
        F.sum("n_events").alias("n_events"),
        F.min("first_ts").alias("first_ts"),
        F.max("last_ts").alias("last_ts"),
    )
