"""Sessions by inactivity gap, and dwell times.

Expects the records of a user in one partition; moves no row.
"""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window, WindowSpec
from pyspark.sql import functions as F

from interest_graph.config import CleanConfig


def add_sessions(events: DataFrame, config: CleanConfig) -> DataFrame:
    """Adds session_id and dwell_seconds.

    A session is a user's run of events without a gap over `session_gap_minutes`. Its id is made
    of the user and the time of its first event. It ends at midnight UTC or, by the setting, may
    pass one midnight: a longer one goes on under a new id, so that an id depends on one day of
    history alone.
    dwell_seconds: time to the next event of the session, capped; null for its last.
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
    """The start of a session, or of its second part if it has passed one midnight already."""
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
    """`start` at the last row so far at which `opens` held."""
    so_far = order.rowsBetween(Window.unboundedPreceding, Window.currentRow)
    return F.last(F.when(opens, start), ignorenulls=True).over(so_far)


def _day_order() -> WindowSpec:
    # The day first: rows then come in the order in which they are written, a folder a day.
    return Window.partitionBy("event_date", "user_id").orderBy(*_TIME_ORDER)


def _user_order() -> WindowSpec:
    return Window.partitionBy("user_id").orderBy(*_TIME_ORDER)


# Total among distinct events, so that ties are always told apart in the same way.
_TIME_ORDER = ("event_ts", "source", "item_id", "action", "event_id")
