"""Releases what a graph computation leaves cached."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

from py4j.protocol import Py4JError
from pyspark import StorageLevel
from pyspark.sql import DataFrame, SparkSession

_DELTA_STATE = "Delta Table State"
# Every RDD notes it when it is made. Of a call site's two forms this one is read by nobody but the
# web page of a stage, and PySpark, which sets the short one, leaves it alone.
_MARK = "callSite.long"


@contextmanager
def cache_scope(spark: SparkSession) -> Iterator[Callable[[DataFrame], DataFrame]]:
    """Give a function that caches a frame until the block ends.

    At the end, these frames are released, and so is everything else that this thread's work made
    persistent within the block: local checkpoints, and what GraphFrames forgets (27 RDDs after ten
    calls). A result must have been written by then. What other threads cache stays, and so do
    frames that were to be cached before the block began, even where its work was the first to
    compute them.
    """
    mark, outer = f"cache scope {uuid4().hex}", spark.sparkContext.getLocalProperty(_MARK)
    theirs = set(_asked_for(spark))
    kept: list[DataFrame] = []

    def keep(frame: DataFrame) -> DataFrame:
        if frame.storageLevel == StorageLevel.NONE:  # else somebody's, who releases it
            kept.append(frame.persist())
        return frame

    spark.sparkContext.setLocalProperty(_MARK, mark)
    try:
        yield keep
    finally:
        spark.sparkContext.setLocalProperty(_MARK, outer)  # type: ignore[arg-type] # None: unset
        for frame in kept:
            frame.unpersist()
        _release(spark, mark, theirs)


def persistent_rdds(spark: SparkSession, named: Collection[str] = ()) -> set[int]:
    """Numbers of persistent RDDs, less the table states that Delta keeps and releases by itself.

    named: count only those of these names.
    """
    found = _persistent(spark)
    return {number for number, rdd in found.items() if not named or str(rdd.name()) in named}


def unpersist_rdds(spark: SparkSession, numbers: set[int]) -> None:
    """Release those of these RDDs that are still persistent."""
    now = spark.sparkContext._jsc.getPersistentRDDs()
    for number in numbers & set(now):
        now[number].unpersist(False)


def _persistent(spark: SparkSession) -> dict[int, Any]:
    # PySpark has no call of its own for the list of persistent RDDs.
    found = spark.sparkContext._jsc.getPersistentRDDs()
    rdds = {number: found[number] for number in found}
    return {n: rdd for n, rdd in rdds.items() if not str(rdd.name()).startswith(_DELTA_STATE)}


def _release(spark: SparkSession, mark: str, theirs: set[int]) -> None:
    """Release the RDDs of that mark, but for those of the frames whose plans are `theirs`."""
    spared = {rdd for plan, rdd in _asked_for(spark).items() if plan in theirs}
    for number, rdd in _persistent(spark).items():
        if number not in spared and rdd.rdd().creationSite().longForm() == mark:
            rdd.unpersist(False)


def _asked_for(spark: SparkSession) -> dict[int, int | None]:
    """What somebody asked to cache: a number of each frame's plan, and of its RDD once computed.

    Spark shows its register to nobody, and a runtime may have another one: then it is empty.
    """
    system = spark.sparkContext._jvm.java.lang.System  # type: ignore[union-attr]
    numbers: dict[int, int | None] = {}
    try:
        manager = spark._jsparkSession.sharedState().cacheManager()
        register = manager.getClass().getDeclaredField("cachedData")
        register.setAccessible(True)
        frames = register.get(manager)
        for frame in map(frames.apply, range(frames.size())):
            rdd = frame.cachedRepresentation().cacheBuilder()
            is_computed = rdd.isCachedColumnBuffersLoaded()
            # Of the object itself: a plan that is equal but another one has another number.
            number = int(system.identityHashCode(frame.plan()))
            numbers[number] = rdd.cachedColumnBuffers().id() if is_computed else None
    except Py4JError:
        return {}
    return numbers
