"""Repeats of an event: which record stays depends on what the records say, never on their order.

Every function expects the records of a user in one partition (`repartition("user_id")`); none moves
a row.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import and_

from pyspark.sql import Column, DataFrame, Window, WindowSpec
from pyspark.sql import functions as F

DUPLICATE_ID = "duplicate_id"
DUPLICATE_EVENT = "duplicate_event"
RETRY = "retry"


def mark_repeated_ids(records: DataFrame) -> DataFrame:
    """Adds `drop_reason` to records that repeat a producer's event id of the same user and day.

    The earliest record of an id stays; records without an id are never repeats.
    """
    same_id = ("event_date", "event_id", "source")  # what tells most apart first
    order: list[str | Column] = [*same_id, "event_ts", "item_id", "action", *_content_order()]
    is_repeat = _follows_its_like(same_id, _of_user(order))
    return records.withColumn("drop_reason", F.when(is_repeat, F.lit(DUPLICATE_ID)))


def mark_repeated_events(records: DataFrame, *, retry_seconds: int) -> DataFrame:
    """Adds `drop_reason` to records of the same source, user, item and action that came before.

    At the same time: duplicate_event; one with an event id and with the larger value stays. Within
    `retry_seconds` after another record, itself a repeat or not, so that chains count: retry.
    """
    same_act = ("item_id", "action", "source")
    earliest_first = _of_user([*same_act, "event_ts", *_content_order()])
    before = F.when(
        _follows_its_like(same_act, earliest_first), F.lag("event_ts").over(earliest_first)
    )
    marked = records.withColumn("_before", before)
    seconds = F.col("event_ts").cast("double") - F.col("_before").cast("double")
    reason = F.when(F.col("event_ts") == F.col("_before"), F.lit(DUPLICATE_EVENT))
    if retry_seconds:
        reason = reason.when(seconds <= retry_seconds, F.lit(RETRY))
    return marked.withColumn("drop_reason", reason).drop("_before")


def with_event_id(records: DataFrame) -> DataFrame:
    """Derives the id of records whose producer gave none from what the record says."""
    micros = F.unix_micros("event_ts").cast("string")
    content = F.concat_ws("\x01", "source", "user_id", "item_id", "action", micros)
    return records.withColumn("event_id", F.coalesce("event_id", F.md5(content)))


def _of_user(order: Sequence[str | Column]) -> WindowSpec:
    # Not a partition for each id or act: most would hold one row, and to open one costs as much as
    # several rows.
    return Window.partitionBy("user_id").orderBy(*order)


def _follows_its_like(columns: Sequence[str], order: WindowSpec) -> Column:
    """Whether the row before agrees in these columns, none of them being null."""
    return reduce(and_, (F.col(name) == F.lag(name).over(order) for name in columns))


def _content_order() -> list[Column]:
    return [F.col("event_id").asc_nulls_last(), F.col("value").desc_nulls_last()]
