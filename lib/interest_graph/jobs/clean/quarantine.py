"""First pass over new records: write refused ones to quarantine, find the days of the others."""

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

_DAYS = 1 << 32  # more days than a timestamp can have


@dataclass(frozen=True)
class FirstPass:
    """Result of the first pass over new batches.

    days: of the accepted records, by batch; n_refused: number of refused records by batch;
    retry_ts: earliest time of a record in the future, None if there is none; counts: records by
    reason and by warning.
    """

    days: dict[str, list[date]]
    n_refused: dict[str, int]
    retry_ts: datetime | None
    counts: dict[str, int]


def write_refused(run: Run, typed: DataFrame, rules: list[Rule], new: Collection[str]) -> FirstPass:
    """Write the refused records of the new batches to silver.quarantine; one pass over all records.

    typed: from `type_events`. Days and counts are taken by observations during the write.
    """
    everything, refusals = Observation(), Observation()
    numbers = {batch: n for n, batch in enumerate(sorted(new))}
    records = with_refusals(typed.where(F.col("batch_id").isin(list(new))), rules)
    passing, warned = _narrowed(records, rules)
    seen_of_all = [_days_of(numbers), _earliest_future(run), *_counts(warned)]
    refused = passing.observe(everything, *seen_of_all).where("_refusal IS NOT NULL")
    rows = refused.select("_refusal.*").observe(refusals, *_counts_of_refused(rules))
    run.store.replace(tables.QUARANTINE, rows, where=in_batches(new))
    counters = everything.get | refusals.get
    counts = {
        name: counters[name] for name in counters if name.startswith("reason.") and counters[name]
    }
    retry_ts = (
        None if counters["late"] is None else datetime.fromtimestamp(counters["late"] / 1e6, UTC)
    )
    days = _days_by_batch(json.loads(counters["days"]), numbers)
    return FirstPass(days, _refused_by_batch(run, new, counters["n_refused"]), retry_ts, counts)


def in_batches(batches: Iterable[str]) -> str:
    """SQL predicate: the record is of one of these batches."""
    return f"batch_id IN ({', '.join(repr(batch) for batch in sorted(batches))})"


def _days_of(numbers: Mapping[str, int]) -> Column:
    """Column: all (batch, day) pairs of accepted records, each as one number, as a JSON list."""
    # A single number and, for one batch, no look-up: this is evaluated for every record.
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
    """Number of refused records by batch; of several batches counted in silver.quarantine."""
    if len(batches) == 1 or not n_refused:
        return dict.fromkeys(batches, n_refused)
    rows = run.store.read(tables.QUARANTINE).where(in_batches(batches))
    return {row["batch_id"]: row["count"] for row in rows.groupBy("batch_id").count().collect()}


def _narrowed(records: DataFrame, rules: list[Rule]) -> tuple[DataFrame, dict[str, Column]]:
    """The few columns that are counted, and by reason the column that marks a warning."""
    warnings = warnings_of(rules)
    marks = [met.alias(f"_warning_{reason}") for reason, met in warnings.items()]
    # As few columns as possible: Spark builds a row of them for every record.
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
