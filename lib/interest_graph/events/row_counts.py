"""Counts rows while they pass, without a pass of their own."""

from __future__ import annotations

from collections.abc import Iterable

from pyspark.sql import Column, DataFrame, Observation
from pyspark.sql import functions as F

N_BUCKETS = 4096


def bucket_of(user_id: str) -> Column:
    """The user's bucket, from 0 to N_BUCKETS - 1."""
    return F.pmod(F.xxhash64(user_id), F.lit(N_BUCKETS).cast("bigint"))


class RowCounts:
    """Where the records of one run went: those that came in, and those dropped for each reason.

    due: whether a row is one that the run accounts for; rows read only to look back are not.
    Counts exist once the frame has been written (`counts`). They are taken after the shuffle, in
    the stage that writes, so that a task tried again is counted once.
    """

    def __init__(self, due: Column) -> None:
        self._due = due
        self._observations: list[Observation] = []
        self._suspects: list[Observation] = []

    def count(self, rows: DataFrame, name: str, condition: Column | None = None) -> DataFrame:
        """Count the due rows, or those that also meet a condition."""
        counted = self._due if condition is None else self._due & condition
        return self._observe(rows, {name: counted})

    def drop(self, marked: DataFrame, reasons: Iterable[str]) -> DataFrame:
        """Drop the rows that have a `drop_reason`, counted by reason."""
        by_reason = {reason: self._due & (F.col("drop_reason") == reason) for reason in reasons}
        counted = self._observe(marked, by_reason)
        return counted.where("drop_reason IS NULL").drop("drop_reason")

    def watch(self, marked: DataFrame) -> DataFrame:
        """Remember in which buckets of users (`bucket_of`) rows have a `drop_reason`."""
        observation = Observation()
        self._suspects.append(observation)
        dropped = F.when(self._due & F.col("drop_reason").isNotNull(), bucket_of("user_id"))
        buckets = F.array_join(F.collect_set(dropped.cast("string")), ",")
        return marked.observe(observation, buckets.alias("buckets"))

    def buckets(self) -> list[int]:
        """The buckets remembered: few, and none missing, however many users there are."""
        texts = [observation.get["buckets"] for observation in self._suspects]
        return sorted({int(bucket) for text in texts for bucket in text.split(",") if bucket})

    def counts(self) -> dict[str, int]:
        """The counts by name."""
        taken = [observation.get for observation in self._observations]
        return {name: int(count or 0) for metrics in taken for name, count in metrics.items()}

    def _observe(self, rows: DataFrame, conditions: dict[str, Column]) -> DataFrame:
        observation = Observation()
        self._observations.append(observation)
        counts = [F.count(F.when(met, 1)).alias(name) for name, met in conditions.items()]
        return rows.observe(observation, *counts)
