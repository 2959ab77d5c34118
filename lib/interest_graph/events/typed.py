"""Conversion of received text to typed columns, by the settings of each source."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from interest_graph.config import SourceConfig, TimeFormat

# Units in a second of the epoch formats.
_EPOCHS = {"epoch_s": 1, "epoch_ms": 1_000, "epoch_us": 1_000_000}
_FAR_SECONDS = 253_402_300_800  # start of the year 10000, where Spark's timestamps end
_OFFSET = r"(Z|z|UTC|[+-]\d{2}(:?\d{2})?)$"


def type_events(events: DataFrame, sources: Sequence[SourceConfig]) -> DataFrame:
    """Parse the received columns; a text that cannot be parsed gives null.

    events: bronze.events of these sources. Adds event_ts (UTC) and event_date. `action` becomes the
    configured name and `value` a DOUBLE; the received texts are kept as `_action` and `_value`. Ids
    are trimmed, empty ids become null.
    """
    received = events.withColumnsRenamed({"action": "_action", "value": "_value"})
    ids = {name: F.nullif(F.trim(name), F.lit("")) for name in ("event_id", "user_id", "item_id")}
    typed = received.withColumns(
        {
            **ids,
            "event_ts": _by_source(
                sources, lambda source: parse_time(F.col("event_time"), source.time)
            ),
            "action": _by_source(sources, _action_name),
            "value": F.col("_value").cast("double"),
        }
    )
    return typed.withColumn("event_date", F.to_date("event_ts"))


def parse_time(text: Column, time: TimeFormat) -> Column:
    """Parse a text as a UTC timestamp; null where it does not have the format."""
    if time.constant is not None:
        return F.lit(time.constant.replace(tzinfo=None).isoformat()).cast("timestamp")
    if time.format in _EPOCHS:
        return _epoch_time(text, _EPOCHS[time.format])
    if time.format == "iso":
        return _iso_time(F.trim(text), time.zone)
    parsed = F.try_to_timestamp(F.trim(text), F.lit(time.format))
    has_offset = any(letter in _letters(time.format) for letter in "XxZzOV")
    return parsed if has_offset or _is_utc(time.zone) else F.to_utc_timestamp(parsed, time.zone)


def _epoch_time(text: Column, ticks: int) -> Column:
    """Parse the text of a number of seconds, or of parts of one; ticks: units in a second."""
    # BIGINT where it is exact, because parsing a DOUBLE takes several times as long.
    whole = F.when(~text.contains("."), text.cast("bigint"))
    micros = F.when(F.abs(whole) < _FAR_SECONDS * ticks, whole * (1_000_000 // ticks))
    seconds = text.cast("double") / ticks
    rounded = F.when(F.abs(seconds) < _FAR_SECONDS, F.rint(seconds * 1e6).cast("bigint"))
    return F.timestamp_micros(F.coalesce(micros, rounded))


def _iso_time(text: Column, zone: str) -> Column:
    # The cast alone would also accept a year, and a time without a date as one of today.
    is_full_date = (F.substring(text, 5, 1) == "-") & (F.substring(text, 8, 1) == "-")
    parsed = F.when(is_full_date, text.cast("timestamp"))
    if _is_utc(zone):
        return parsed
    return F.when(text.rlike(_OFFSET), parsed).otherwise(F.to_utc_timestamp(parsed, zone))


def _letters(pattern: str) -> str:
    """The date pattern without its quoted literals."""
    return "".join(pattern.split("'")[::2])


def _is_utc(zone: str) -> bool:
    return zone.upper() in ("UTC", "Z", "GMT", "ETC/UTC")


def _action_name(source: SourceConfig) -> Column:
    if source.action is not None:
        return F.lit(source.action)
    written = F.nullif(F.trim("_action"), F.lit(""))
    if not source.actions:
        return written
    names = F.create_map(*[F.lit(text) for pair in source.actions.items() for text in pair])
    return names[written]


def _by_source(sources: Sequence[SourceConfig], rule: Callable[[SourceConfig], Column]) -> Column:
    """For each row the expression of its source; with a single source just its expression."""
    first, *others = sources
    expression = rule(first)
    for source in others:
        expression = F.when(F.col("source") == source.name, rule(source)).otherwise(expression)
    return expression
