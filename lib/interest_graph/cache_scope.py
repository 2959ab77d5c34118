"""Releases what a graph computation leaves cached."""

from __future__ import annotations

from collections.abc import Callable, Iterator
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
        now = spark.sparkContext._jsc.getPersistentRDDs()
        for number in persistent_rdds(spark) - before:
            now[number].unpersist(False)


def persistent_rdds(spark: SparkSession) -> set[int]:
    """Numbers of persistent RDDs, less the table states that Delta keeps and releases by itself."""
    # PySpark has no call of its own for the list of persistent RDDs.
    found = spark.sparkContext._jsc.getPersistentRDDs()
    return {number for number in found if not str(found[number].name()).startswith(_DELTA_STATE)}
