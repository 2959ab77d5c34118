"""Exact order statistics of the values of groups."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame, Window, WindowSpec
from pyspark.sql import functions as F


def rank_values(rows: DataFrame, by: Sequence[str]) -> DataFrame:
    """One row per distinct value of a group: the columns `by`, value, n, n_up_to, n_all.

    rows: `by` and value (DOUBLE, not null). n: rows with the value; n_up_to: rows with no larger
    one; n_all: rows of the group. A sort, which spills, where Spark's `percentile` holds a group's
    distinct values in one buffer; the same for any partitioning of the rows.
    """
    tally = rows.groupBy(*by, "value").agg(F.count(F.lit(1)).alias("n"))
    upwards = Window.partitionBy(*by).orderBy("value")
    n_up_to, n_all = F.sum("n").over(upwards), F.sum("n").over(whole_group(by))
    return tally.withColumns({"n_up_to": n_up_to, "n_all": n_all})


def whole_group(by: Sequence[str]) -> WindowSpec:
    """All ranked values of a group in ascending order, so that sums of them are reproducible."""
    ends = (Window.unboundedPreceding, Window.unboundedFollowing)
    return Window.partitionBy(*by).orderBy("value").rowsBetween(*ends)


def quantile(level: float | Column) -> Column:
    """Over ranked values: the smallest that at least a share `level` of the rows does not exceed.

    It is a value of the data (NumPy calls this method inverted_cdf).
    """
    return F.min(F.when(_share() >= level, F.col("value")))


def median() -> Column:
    """Over ranked values: the middle one, or the mean of the two in the middle."""
    above = F.min(F.when(_share() > 0.5, F.col("value")))
    return (quantile(0.5) + above) / 2


def _share() -> Column:
    return F.col("n_up_to") / F.col("n_all")
