"""The first pass over new records: refused ones go to quarantine, the rest are looked at."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from pyspark.sql import Column, DataFrame, Observation
from pyspark.sql import functions as F

from interest_graph import tables
from interest_graph.events.validate import Rule, warnings_of, with_refusals
from interest_graph.job import Run

_DAYS = 1 << 32  # more than a timestamp can tell apart


@dataclass(frozen=True)
class Seen:
    """What the first pass saw of the new batches."""

    days: dict[str, list[date]]
    n_refused: dict[str, int]
    retry_ts: datetime | None
    counts: dict[str, int]  # of reasons and warnings


def write_refused(run: Run, typed: DataFrame, rules: list[Rule], new: Collection[str]) -> Seen:
    """Write the new batches' refused records, and look at the rest in passing."""
    everything, refusals = Observation(), Observation()
    numbers = {batch: n for n, batch in enumerate(sorted(new))}
    records = with_refusals(typed.where(F.col("batch_id").isin(list(new))), rules)
    passing, warned = _narrowed(records, rules)
    seen_of_all = [_days_of(numbers), _earliest_future(run), *_counts(warned)]
    refused = passing.observe(everything, *seen_of_all).where("_refusal IS NOT NULL")
    rows = refused.select("_refusal.*").observe(refusals, *_counts_of_refused(rules))
    run.store.replace(tables.QUARANTINE, rows, where=among(new))
    seen = everything.get | refusals.get
    counts = {name: seen[name] for name in seen if name.startswith("reason.") and seen[name]}
    retry_ts = None if seen["late"] is None else datetime.fromtimestamp(seen["late"] / 1e6, UTC)
    days = _days_by_batch(json.loads(seen["days"]), numbers)
    return Seen(days, _refused_by_batch(run, new, seen["n_refused"]), retry_ts, counts)


def among(batches: Iterable[str]) -> str:
    """The predicate of records of these batches."""
    return f"batch_id IN ({', '.join(repr(batch) for batch in sorted(batches))})"


def _days_of(numbers: Mapping[str, int]) -> Column:
    """Every pair of a batch and a day of a record that is not refused, as JSON of whole numbers."""
    # One number for both, and no look-up where one batch is all: this passes every record.
    place = F.create_map(*[F.lit(part) for pair in numbers.items() for part in pair])
    number = place[F.col("batch_id")] if len(numbers) > 1 else F.lit(0)
    pair = number.cast("bigint") * _DAYS + F.unix_date("event_date") + _DAYS // 2
    return F.to_json(F.collect_set(F.when(F.col("_refusal").isNull(), pair))).alias("days")


def _days_by_batch(pairs: Iterable[int], numbers: Mapping[str, int]) -> dict[str, list[date]]:
    names = sorted(numbers)
    days: dict[str, list[date]] = {batch: [] for batch in names}
    for pair in pairs:
        number, day = divmod(pair, _DAYS)
        days[names[number]].append(date(1970, 1, 1) + timedelta(days=day - _DAYS // 2))
    return days


def _refused_by_batch(run: Run, batches: Collection[str], n_refused: int) -> dict[str, int]:
    """Refused records by batch; those of several batches are counted where they lie."""
    if len(batches) == 1 or not n_refused:
        return dict.fromkeys(batches, n_refused)
    rows = run.store.read(tables.QUARANTINE).where(among(batches))
    return {row["batch_id"]: row["count"] for row in rows.groupBy("batch_id").count().collect()}


def _narrowed(records: DataFrame, rules: list[Rule]) -> tuple[DataFrame, dict[str, Column]]:
    """What the counters look at, and by reason the column that marks a record to be warned of."""
    warnings = warnings_of(rules)
    marks = [met.alias(f"_warning_{reason}") for reason, met in warnings.items()]
    # Few columns, for a row of them is made of every record.
    narrow = records.select("batch_id", "event_ts", "event_date", "_refusal", *marks)
    return narrow, {reason: F.col(f"_warning_{reason}") for reason in warnings}


def _earliest_future(run: Run) -> Column:
    latest = run.as_of + timedelta(minutes=run.settings.clean.clock_skew_minutes)
    is_late = F.col("event_ts") > F.lit(latest)
    return F.min(F.when(is_late, F.unix_micros("event_ts"))).alias("late")


def _counts_of_refused(rules: list[Rule]) -> list[Column]:
    reasons = sorted({rule.reason for rule in rules if rule.severity == "refuse"})
    held = {reason: F.array_contains("reasons", reason) for reason in reasons}
    return [F.count(F.lit(1)).alias("n_refused"), *_counts(held)]


def _counts(conditions: dict[str, Column]) -> list[Column]:
    return [F.count(F.when(met, 1)).alias(f"reason.{name}") for name, met in conditions.items()]
