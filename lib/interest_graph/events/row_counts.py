"""Counts of rows taken by the write itself (Spark observations), without a second pass."""

from __future__ import annotations

from collections.abc import Iterable

from pyspark.sql import Column, DataFrame, Observation
from pyspark.sql import functions as F

N_BUCKETS = 4096


def bucket_of(user_id: str) -> Column:
    """Column: a hash of the user id, from 0 to N_BUCKETS - 1."""
    return F.pmod(F.xxhash64(user_id), F.lit(N_BUCKETS).cast("bigint"))


class RowCounts:
    """Counts the records of one run: those accepted, kept, and dropped for each reason.

    in_scope: true for rows of the days this run rewrites; false for rows read only as look-back
    context, which are not counted. Results (`counts`, `noted_buckets`) exist once the frame is
    written. Rows are counted in the stage that writes, after the shuffle: a task that is retried
    counts once.
    """

    def __init__(self, in_scope: Column) -> None:
        self._in_scope = in_scope
        self._observations: list[Observation] = []
        self._bucket_observations: list[Observation] = []

    def count(self, rows: DataFrame, name: str, condition: Column | None = None) -> DataFrame:
        """Count, under `name`, the rows in scope that meet the condition; all without condition."""
        counted = self._in_scope if condition is None else self._in_scope & condition
        return self._observe(rows, {name: counted})

    def drop_marked(self, marked: DataFrame, reasons: Iterable[str]) -> DataFrame:
        """Drop the rows that have a `drop_reason`, and count them by reason."""
        by_reason = {
            reason: self._in_scope & (F.col("drop_reason") == reason) for reason in reasons
        }
        counted = self._observe(marked, by_reason)
        return counted.where("drop_reason IS NULL").drop("drop_reason")

    def note_users(self, marked: DataFrame) -> DataFrame:
        """Note the users of rows with a `drop_reason`, by their buckets (`bucket_of`).

        Buckets, because the users themselves may be too many to bring to the driver.
        """
        observation = Observation()
        self._bucket_observations.append(observation)
        dropped = F.when(self._in_scope & F.col("drop_reason").isNotNull(), bucket_of("user_id"))
        buckets = F.array_join(F.collect_set(dropped.cast("string")), ",")
        return marked.observe(observation, buckets.alias("buckets"))

    def noted_buckets(self) -> list[int]:
        """The buckets of all noted users, ascending; at most N_BUCKETS."""
        texts = [observation.get["buckets"] for observation in self._bucket_observations]
        return sorted({int(bucket) for text in texts for bucket in text.split(",") if bucket})

    def counts(self) -> dict[str, int]:
        """The counts by name or reason."""
        taken = [observation.get for observation in self._observations]
        return {name: int(count or 0) for metrics in taken for name, count in metrics.items()}

    def _observe(self, rows: DataFrame, conditions: dict[str, Column]) -> DataFrame:
        observation = Observation()
        self._observations.append(observation)
        counts = [F.count(F.when(met, 1)).alias(name) for name, met in conditions.items()]
        return rows.observe(observation, *counts)
