"""Releases what a graph computation leaves cached."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager

from pyspark.sql import DataFrame, SparkSession

_DELTA_STATE = "Delta Table State"


@contextmanager
def cache_scope(spark: SparkSession) -> Iterator[Callable[[DataFrame], DataFrame]]:
    """Give a function that caches a frame until the block ends.

    At the end, these frames are released, and so is everything else that became persistent in
    this session meanwhile: local checkpoints, and what GraphFrames forgets (27 RDDs after ten
    calls). A result must have been written by then; nothing else may cache in parallel.
    """
    before = persistent_rdds(spark)
    kept: list[DataFrame] = []

    def keep(frame: DataFrame) -> DataFrame:
        kept.append(frame.persist())
        return kept[-1]

    try:
        yield keep
    finally:
        for frame in kept:
            frame.unpersist()
        unpersist_rdds(spark, persistent_rdds(spark) - before)


def persistent_rdds(spark: SparkSession, named: Collection[str] = ()) -> set[int]:
    """Numbers of persistent RDDs, less the table states that Delta keeps and releases by itself.

    named: count those of these names alone.
    """
    # PySpark has no call of its own for the list of persistent RDDs.
    found = spark.sparkContext._jsc.getPersistentRDDs()
    names = {number: str(found[number].name()) for number in found}
    if named:
        return {number for number, name in names.items() if name in named}
    return {number for number, name in names.items() if not name.startswith(_DELTA_STATE)}


def unpersist_rdds(spark: SparkSession, numbers: set[int]) -> None:
    """Let go of those of these persistent RDDs that there still are."""
    now = spark.sparkContext._jsc.getPersistentRDDs()
    for number in numbers & set(now):
        now[number].unpersist(False)
