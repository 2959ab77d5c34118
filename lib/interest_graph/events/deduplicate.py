"""Repeats of an event. Which record is kept depends on the content of the records, not their order.

The functions expect all records of a user in one partition (`repartition("user_id")`), so that none
of them needs a shuffle.
"""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

DUPLICATE_ID = "duplicate_id"
DUPLICATE_EVENT = "duplicate_event"
RETRY = "retry"


def mark_repeated_ids(records: DataFrame) -> DataFrame:
    """Set `drop_reason` of records whose event_id the same source, user and day already has.

    The earliest record of an id is kept; records without an id are never marked.
    """
    same_id = Window.partitionBy("user_id", "source", "event_date", "event_id")
    earliest_first = same_id.orderBy("event_ts", "item_id", "action", *_content_order())
    is_repeat = F.col("event_id").isNotNull() & (F.row_number().over(earliest_first) > 1)
    return records.withColumn("drop_reason", F.when(is_repeat, F.lit(DUPLICATE_ID)))


def mark_repeated_events(records: DataFrame, *, retry_seconds: int) -> DataFrame:
    """Set `drop_reason` of records with the source, user, item and action of an earlier record.

    duplicate_event: same time; of these, a record with an event id, then the one with the larger
    value, is kept. retry: at most `retry_seconds` after the record before, even if that one is
    itself a retry, so that whole chains are dropped.
    """
    same_act = Window.partitionBy("user_id", "source", "item_id", "action")
    earliest_first = same_act.orderBy("event_ts", *_content_order())
    before = F.lag("event_ts").over(earliest_first)
    marked = records.withColumn("_before", before)
    seconds = F.col("event_ts").cast("double") - F.col("_before").cast("double")
    reason = F.when(F.col("event_ts") == F.col("_before"), F.lit(DUPLICATE_EVENT))
    if retry_seconds:
        reason = reason.when(seconds <= retry_seconds, F.lit(RETRY))
    return marked.withColumn("drop_reason", reason).drop("_before")


def with_event_id(records: DataFrame) -> DataFrame:
    """Fill missing event ids with a digest of source, user, item, action and time."""
    micros = F.unix_micros("event_ts").cast("string")
    content = F.concat_ws("\x01", "source", "user_id", "item_id", "action", micros)
    return records.withColumn("event_id", F.coalesce("event_id", F.md5(content)))


def _content_order() -> list[Column]:
    return [F.col("event_id").asc_nulls_last(), F.col("value").desc_nulls_last()]
