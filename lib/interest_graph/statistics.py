"""Exact quantiles of the values of groups, by sorting."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame, Window, WindowSpec
from pyspark.sql import functions as F


def rank_values(rows: DataFrame, by: Sequence[str]) -> DataFrame:
    """Rank the distinct values of each group: the columns `by`, value, n, n_up_to, n_all.

    rows: `by` and value (DOUBLE, not null). n: rows with this value; n_up_to: rows with this or a
    smaller value; n_all: rows of the group. Sorts, which can spill to disk, while Spark's
    `percentile` keeps all distinct values of a group in memory. The result does not depend on the
    partitioning.
    """
    tally = rows.groupBy(*by, "value").agg(F.count(F.lit(1)).alias("n"))
    upwards = Window.partitionBy(*by).orderBy("value")
    n_up_to, n_all = F.sum("n").over(upwards), F.sum("n").over(whole_group(by))
    return tally.withColumns({"n_up_to": n_up_to, "n_all": n_all})


def whole_group(by: Sequence[str]) -> WindowSpec:
    """Window of all values of a group in ascending order: sums over it are reproducible."""
    ends = (Window.unboundedPreceding, Window.unboundedFollowing)
    return Window.partitionBy(*by).orderBy("value").rowsBetween(*ends)


def quantile(level: float | Column) -> Column:
    """Aggregate over `rank_values`: the smallest value v such that a share >= level is <= v.

    Always a value of the data; NumPy calls this method inverted_cdf.
    """
    return F.min(F.when(_share() >= level, F.col("value")))


def median() -> Column:
    """Aggregate over `rank_values`: the middle value, or the mean of the two middle values."""
    above = F.min(F.when(_share() > 0.5, F.col("value")))
    return (quantile(0.5) + above) / 2


def _share() -> Column:
    return F.col("n_up_to") / F.col("n_all")
