"""Bots, found by a user's behaviour in one day, and crawlers, found by their user agent."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pandas as pd
from pyspark.sql import Column, DataFrame, Window, WindowSpec
from pyspark.sql import functions as F

from interest_graph.config.clean import BotConfig

RULES = ("events_per_minute", "events_per_day", "items_per_day", "active_hours", "steady_gaps")
_MINUTE = 60_000_000  # microseconds


def mark_bots(events: DataFrame, config: BotConfig) -> DataFrame:
    """Add `drop_reason`: the first of RULES that the user breaks on that day, null for none.

    events: one row per distinct event; user_id, item_id, event_ts, event_date. All events of a user
    on a day get the same reason; rules whose setting is null are off.
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
    """Rule -> whether a user's day breaks it, for the rules that are on, in the order of RULES."""
    rules: dict[str, Column] = {}
    if config.events_per_minute is not None:
        # Two events that are `events_per_minute` places apart lie within a minute.
        rules["events_per_minute"] = F.min("_burst").over(day) < _MINUTE
    if config.events_per_day is not None:
        rules["events_per_day"] = F.col("_n") > config.events_per_day
    if config.items_per_day is not None:
        # Only days with enough events to break the rule collect a set of items.
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
    """Whether standard deviation <= variation * mean of the gaps between events.

    Sums are exact (DECIMAL of microseconds), so that the verdict does not depend on their order.
    """
    n = F.count("_gap").over(day)
    gap = F.col("_gap").cast("decimal(19,0)")
    mean = F.sum("_gap").over(day) / n
    mean_square = (F.sum(gap * gap).over(day) / n).cast("double")
    limit: Column = F.pow(variation * mean, 2)
    return mean_square - mean * mean <= limit


def _user_day() -> WindowSpec:
    return Window.partitionBy("event_date", "user_id")  # as sessions use: one sort serves both


CRAWLER = "crawler_agent"


def mark_crawlers(records: DataFrame) -> DataFrame:
    """Add `_is_crawler`, from the user agent, and drop user_agent.

    Each distinct user agent is matched once against the more than a thousand patterns of the list
    crawleruseragents: logs have far fewer user agents than records.
    """
    agents = records.select("user_agent").where("user_agent IS NOT NULL").distinct()
    crawlers = agents.mapInPandas(_crawlers_among, "user_agent STRING, _is_crawler BOOLEAN")
    marked = records.join(F.broadcast(crawlers), "user_agent", how="left")
    return marked.withColumn("_is_crawler", F.coalesce("_is_crawler", F.lit(False))).drop(
        "user_agent"
    )


def _crawlers_among(batches: Iterable[pd.DataFrame]) -> Iterator[pd.DataFrame]:
    from crawleruseragents import is_crawler  # reads its list on import, which only workers need

    for agents in batches:
        found = agents[[is_crawler(agent) for agent in agents["user_agent"]]]
        yield found.assign(_is_crawler=True)


def drop_reason_of_crawlers(records: DataFrame) -> DataFrame:
    """Turn `_is_crawler` into `drop_reason`: CRAWLER or null."""
    reason = F.when(F.col("_is_crawler"), F.lit(CRAWLER))
    return records.withColumn("drop_reason", reason).drop("_is_crawler")
