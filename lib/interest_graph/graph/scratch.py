"""Releases what a graph computation leaves cached."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from pyspark.sql import DataFrame, SparkSession


@contextmanager
def scratch(spark: SparkSession) -> Iterator[Callable[[DataFrame], DataFrame]]:
    """Give a function that caches a frame until the block ends.

    At the end, these frames are released, and so is everything else that became persistent in
    this session meanwhile: local checkpoints, and what GraphFrames forgets (27 RDDs after ten
    calls). A result must have been written by then; nothing else may cache in parallel.
    """
    before = _persistent(spark)
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
        for number in _persistent(spark) - before:
            now[number].unpersist(False)


def _persistent(spark: SparkSession) -> set[int]:
    # PySpark has no call of its own for the list of persistent RDDs.
    return set(spark.sparkContext._jsc.getPersistentRDDs())
