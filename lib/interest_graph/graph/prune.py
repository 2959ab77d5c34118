"""Drops edges that carry little."""

from __future__ import annotations

from datetime import datetime, timedelta

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from interest_graph.graph.sums import exact_sum


def drop_light_edges(edges: DataFrame, *, min_weight: float) -> DataFrame:
    """Keep edges of at least `min_weight`."""
    return edges.where(F.col("weight") >= min_weight)


def keep_heaviest_edges(edges: DataFrame, *, per_vertex: int, end: str = "src") -> DataFrame:
    """Keep the `per_vertex` heaviest edges at each `end`; ties go to the smaller other end."""
    other = "dst" if end == "src" else "src"
    heaviest_first = Window.partitionBy(end).orderBy(F.desc("weight"), other)
    ranked = edges.withColumn("_rank", F.row_number().over(heaviest_first))
    return ranked.where(F.col("_rank") <= per_vertex).drop("_rank")


def drop_old_edges(edges: DataFrame, *, as_of: datetime, max_age_days: float) -> DataFrame:
    """Keep edges whose last event (last_ts) is at most `max_age_days` older than `as_of`."""
    oldest = as_of - timedelta(days=max_age_days)
    return edges.where(F.col("last_ts") >= F.lit(oldest))


def drop_minor_edges(edges: DataFrame, *, min_share: float) -> DataFrame:
    """Keep edges of at least `min_share` of the weight of their src's heaviest edge."""
    heaviest = F.max("weight").over(Window.partitionBy("src"))
    return (
        edges.withColumn("_top", heaviest)
        .where(F.col("weight") >= F.col("_top") * min_share)
        .drop("_top")
    )


def drop_insignificant_edges(edges: DataFrame, *, max_p_value: float) -> DataFrame:
    """Keep the backbone: edges whose p_value of `with_p_values` is at most `max_p_value`."""
    return with_p_values(edges).where(F.col("p_value") <= max_p_value).drop("p_value")


def with_p_values(edges: DataFrame) -> DataFrame:
    """Add p_value: chance of so large a share, had the vertex split its weight at random.

    The smaller of both ends' (1 - w / s) ** (k - 1), s the vertex's weight, k its degree; a vertex
    with one edge has no say (Serrano, Boguñá and Vespignani 2009, the disparity filter).
    """
    chances = [_chance("src"), _chance("dst")]
    return edges.withColumn("p_value", F.least(*chances))


def _chance(end: str) -> Column:
    around = Window.partitionBy(end)
    share = F.col("weight") / F.sum("weight").over(around)
    others = F.count("*").over(around) - 1
    return F.pow(1.0 - F.least(share, F.lit(1.0)), others)


def clean_edges(edges: DataFrame) -> DataFrame:
    """Drop self-loops and merge duplicates (src, dst, kind): weights and events add up."""
    proper = edges.where("src <> dst AND weight > 0")
    return proper.groupBy("src", "dst", "kind").agg(
        exact_sum(F.col("weight")).alias("weight"),
        F.sum("n_events").alias("n_events"),
        F.min("first_ts").alias("first_ts"),
        F.max("last_ts").alias("last_ts"),
    )
