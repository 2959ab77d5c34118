"""Sessions, divided by gaps of inactivity, and dwell times.

Expects all records of a user in one partition, so that no shuffle is needed.
"""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window, WindowSpec
from pyspark.sql import functions as F

from interest_graph.config import CleanConfig


def add_sessions(events: DataFrame, config: CleanConfig) -> DataFrame:
    """Add session_id and dwell_seconds.

    A session is a user's sequence of events without a gap above `session_gap_minutes`; its id is a
    digest of the user and the time of its first event. With session_ends_at_midnight it ends at
    midnight UTC; otherwise it may pass one midnight, and at the next it continues under a new id,
    so that an id never depends on more than the day before.
    dwell_seconds: time to the next event of the session, at most `max_dwell_seconds`; null for the
    last event.
    """
    order = _day_order() if config.session_ends_at_midnight else _user_order()
    gap_seconds = config.session_gap_minutes * 60
    seconds = F.col("event_ts").cast("double")
    marked = events.withColumns(
        {
            "_pause": seconds - F.lag(seconds).over(order),
            "_dwell": F.lead(seconds).over(order) - seconds,
        }
    )
    is_first = F.col("_pause").isNull() | (F.col("_pause") > gap_seconds)
    if config.session_ends_at_midnight:
        start = _running_start(order, is_first, F.col("event_ts"))
        started = marked.withColumn("_start", start)
    else:
        started = _across_midnight(marked, order, is_first)
    dwell = F.least("_dwell", F.lit(config.max_dwell_seconds))
    identity = F.concat_ws("\x01", "user_id", F.unix_micros("_start").cast("string"))
    complete = started.withColumns(
        {
            "session_id": F.md5(identity),
            "dwell_seconds": F.when(F.col("_dwell") <= gap_seconds, dwell),
        }
    )
    return complete.drop("_pause", "_dwell", "_start")


def _across_midnight(marked: DataFrame, order: WindowSpec, is_first: Column) -> DataFrame:
    """Add `_start`, the first event of the session, when sessions may pass one midnight.

    A session that passes a second midnight is divided there: later events get that part's start.
    """
    day_changes = ~F.col("event_date").eqNullSafe(F.lag("event_date").over(order))
    split = marked.withColumn("_opens_day", is_first | day_changes)
    own_day = split.withColumn(
        "_part", _running_start(order, F.col("_opens_day"), F.col("event_ts"))
    )
    carried = F.when(is_first, F.col("event_ts")).otherwise(F.lag("_part").over(order))
    origin = own_day.withColumn(
        "_origin", F.coalesce(F.when(F.col("_opens_day"), carried), "event_ts")
    )
    start = _running_start(order, F.col("_opens_day"), F.col("_origin"))
    return origin.withColumn("_start", start).drop("_opens_day", "_part", "_origin")


def _running_start(order: WindowSpec, opens: Column, start: Column) -> Column:
    """The value of `start` at the last row, up to the present one, where `opens` is true."""
    so_far = order.rowsBetween(Window.unboundedPreceding, Window.currentRow)
    return F.last(F.when(opens, start), ignorenulls=True).over(so_far)


def _day_order() -> WindowSpec:
    # By day first: the table is partitioned by day, so its writer needs no second sort.
    return Window.partitionBy("event_date", "user_id").orderBy(*_TIME_ORDER)


def _user_order() -> WindowSpec:
    return Window.partitionBy("user_id").orderBy(*_TIME_ORDER)


# A total order of distinct events: ties in time are always resolved in the same way.
_TIME_ORDER = ("event_ts", "source", "item_id", "action", "event_id")
