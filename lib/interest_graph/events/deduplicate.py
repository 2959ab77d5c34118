"""Repeats of an event: which record stays depends on what the records say, never on their order.

Every function expects the records of a user in one partition (`repartition("user_id")`); none moves
a row.
"""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

DUPLICATE_ID = "duplicate_id"
DUPLICATE_EVENT = "duplicate_event"
RETRY = "retry"


def mark_repeated_ids(records: DataFrame) -> DataFrame:
    """Adds `drop_reason` to records that repeat a producer's event id of the same user and day.

    The earliest record of an id stays; records without an id are never repeats.
    """
    same_id = Window.partitionBy("user_id", "source", "event_date", "event_id")
    earliest_first = same_id.orderBy("event_ts", "item_id", "action", *_content_order())
    is_repeat = F.col("event_id").isNotNull() & (F.row_number().over(earliest_first) > 1)
    return records.withColumn("drop_reason", F.when(is_repeat, F.lit(DUPLICATE_ID)))


def mark_repeated_events(records: DataFrame, *, retry_seconds: int) -> DataFrame:
    """Adds `drop_reason` to records of the same source, user, item and action that came before.

    At the same time: duplicate_event; one with an event id and with the larger value stays. Within
    `retry_seconds` after another record, itself a repeat or not, so that chains count: retry.
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
    """Derives the id of records whose producer gave none from what the record says."""
    micros = F.unix_micros("event_ts").cast("string")
    content = F.concat_ws("\x01", "source", "user_id", "item_id", "action", micros)
    return records.withColumn("event_id", F.coalesce("event_id", F.md5(content)))


def _content_order() -> list[Column]:
    return [F.col("event_id").asc_nulls_last(), F.col("value").desc_nulls_last()]
