"""What no person does in a day.

Every rule is about one user and one UTC day, so that how the input is cut into batches cannot
change a verdict. Expects the records of a user in one partition; moves no row.
"""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window, WindowSpec
from pyspark.sql import functions as F

from interest_graph.config.clean import BotConfig

RULES = ("events_per_minute", "events_per_day", "items_per_day", "active_hours", "steady_gaps")
_MINUTE = 60_000_000  # microseconds


def mark_bots(events: DataFrame, config: BotConfig) -> DataFrame:
    """Adds `drop_reason`: the first rule that the user's day breaks, null for people.

    events: one row per distinct event; user_id, item_id, event_ts, event_date.
    """
    day, micros = _user_day(), F.unix_micros("event_ts")
    in_order = day.orderBy("event_ts", "source", "item_id", "action", "event_id")
    measured = events.withColumns(
        {
            "_gap": micros - F.lag(micros).over(in_order),
            "_burst": micros - F.lag(micros, config.events_per_minute or 1).over(in_order),
            "_n": F.count(F.lit(1)).over(day),
        }
    )
    verdicts = [F.when(broken, F.lit(rule)) for rule, broken in _broken(config, day).items()]
    reason = F.coalesce(*verdicts) if verdicts else F.lit(None).cast("string")
    return measured.withColumn("drop_reason", reason).drop("_gap", "_burst", "_n")


def _broken(config: BotConfig, day: WindowSpec) -> dict[str, Column]:
    """The rules that are on, in the order of `RULES`."""
    rules: dict[str, Column] = {}
    if config.events_per_minute is not None:
        # Some event follows the one `events_per_minute` places before it within a minute.
        rules["events_per_minute"] = F.min("_burst").over(day) < _MINUTE
    if config.events_per_day is not None:
        rules["events_per_day"] = F.col("_n") > config.events_per_day
    if config.items_per_day is not None:
        # Days with too few events to break the rule build no set.
        candidates = F.when(F.col("_n") > config.items_per_day, F.col("item_id"))
        rules["items_per_day"] = F.size(F.collect_set(candidates).over(day)) > config.items_per_day
    if config.active_hours is not None:
        hour_bit = F.expr("shiftleft(1, hour(event_ts))")
        rules["active_hours"] = F.bit_count(F.bit_or(hour_bit).over(day)) > config.active_hours
    if config.steady_gap_events is not None:
        is_long = F.col("_n") >= config.steady_gap_events
        rules["steady_gaps"] = is_long & _is_steady(config.steady_gap_variation, day)
    return rules


def _is_steady(variation: float, day: WindowSpec) -> Column:
    """deviation <= variation * mean of the gaps, whose whole microseconds add up exactly."""
    n = F.count("_gap").over(day)
    gap = F.col("_gap").cast("decimal(19,0)")
    mean = F.sum("_gap").over(day) / n
    mean_square = (F.sum(gap * gap).over(day) / n).cast("double")
    limit: Column = F.pow(variation * mean, 2)
    return mean_square - mean * mean <= limit


def _user_day() -> WindowSpec:
    return Window.partitionBy("event_date", "user_id")  # the order that sessions need too
