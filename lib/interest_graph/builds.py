"""Builds of what is kept in versions, numbered from 1: graphs and models."""

from __future__ import annotations

from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F


def newest_build(builds: DataFrame | None) -> Row | None:
    """The row with the highest `build`; None where there is none."""
    return builds.orderBy(F.desc("build")).first() if builds is not None else None


def next_build(builds: DataFrame | None, column: str, name: str) -> int:
    """The number of the build called `name` in `column`.

    The newest build keeps its number when it is repeated, so that a repeated run changes nothing.
    """
    newest = newest_build(builds)
    if newest is None:
        return 1
    return int(newest["build"]) + (0 if newest[column] == name else 1)
