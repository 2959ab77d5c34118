"""Build numbers of graph versions and model runs: from 1, in the order in which they were built."""

from __future__ import annotations

from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F


def newest_build(builds: DataFrame | None) -> Row | None:
    """The row with the highest `build`; None without rows or without a table."""
    return builds.orderBy(F.desc("build")).first() if builds is not None else None


def next_build(builds: DataFrame | None, column: str, name: str) -> int:
    """The build number for `name`, a value of `column`: that of the newest build plus 1.

    If the newest build has this name already, it keeps its number: a repeated run changes nothing.
    """
    newest = newest_build(builds)
    if newest is None:
        return 1
    return int(newest["build"]) + (0 if newest[column] == name else 1)
