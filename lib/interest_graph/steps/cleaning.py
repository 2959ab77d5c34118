"""How the clean step finds its work and keeps its accounts."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from pyspark.sql import Column, DataFrame, Observation
from pyspark.sql import functions as F

from interest_graph import tables
from interest_graph.config import SourceConfig
from interest_graph.errors import ConfigError, DataError
from interest_graph.events.batches import batches_with, needs_all, reach_of, settings_digest, spread
from interest_graph.events.ledger import DONE
from interest_graph.events.same_items import aliases_of, same_pairs
from interest_graph.events.validate import (
    Rule,
    built_in_rules,
    declared_rules,
    is_broken,
    refused,
    warnings_of,
)
from interest_graph.graph.structure import components_of
from interest_graph.job import Job

_NOTHING = "false"


@dataclass(frozen=True)
class Batches:
    """Batches to clean with their numbers of records, and the days of those that are clean."""

    new: dict[str, int]
    clean: dict[str, list[date]]
    settings: str


@dataclass(frozen=True)
class Seen:
    """What the first pass saw of the new batches."""

    days: dict[str, list[date]]
    n_refused: dict[str, int]
    retry_ts: datetime | None
    counts: dict[str, int]  # of reasons and warnings


@dataclass(frozen=True)
class Region:
    """Batches to read and part of the table to replace (None: all), and the rows that count."""

    batches: list[str] | None
    where: str | None
    is_read: Column
    is_written: Column

    @property
    def is_empty(self) -> bool:
        """Whether no day is to be written: every new record was refused."""
        return self.where == _NOTHING

    def select(self, records: DataFrame) -> DataFrame:
        """The records of the batches."""
        return (
            records if self.batches is None else records.where(F.col("batch_id").isin(self.batches))
        )


def event_sources(job: Job) -> list[SourceConfig]:
    """The configured sources of events. Raises ConfigError when there is none."""
    sources = [source for source in job.settings.sources if source.kind == "events"]
    if not sources:
        raise ConfigError("sources", "no source of events is configured")
    return sources


def rules_of(job: Job) -> list[Rule]:
    """Built-in and declared rules."""
    config = job.settings.clean
    return [*built_in_rules(config, job.as_of), *declared_rules(config)]


def write_aliases(job: Job) -> DataFrame | None:
    """Find the items that are listed twice; None where nobody asked."""
    config = job.settings.clean.same_items
    if config is None or not job.store.exists(tables.ITEMS):
        return None
    pairs = same_pairs(job.store.read(tables.ITEMS), config)
    job.store.replace(tables.ITEM_ALIASES, aliases_of(components_of(pairs, job.settings.graph)))
    return job.store.read(tables.ITEM_ALIASES)


def versions(job: Job) -> tuple[int, int]:
    """Versions of the tables that a concurrent run would write."""
    return job.store.version(tables.BATCHES), job.store.version(tables.INTERACTIONS)


def is_undisturbed(job: Job, before: tuple[int, int]) -> bool:
    """Whether since then nobody but this run, once, has written them."""
    # Creating a table is version 0.
    return all(now <= max(old, 0) + 1 for now, old in zip(versions(job), before, strict=True))


def batches_to_clean(job: Job, aliases: DataFrame | None, again: Collection[str] = ()) -> Batches:
    """Compare the ledger with silver.batches; changed settings or aliases make every batch new.

    again: batches that count as new in any case.
    """
    config, sources = job.settings.clean, event_sources(job)
    ledger = job.read(tables.FILES).where(F.col("status") == DONE)
    _require_sources(job, ledger)
    of_events = ledger.where(F.col("source").isin([source.name for source in sources]))
    held = of_events.groupBy("batch_id").agg(F.sum("n_rows").alias("n")).where("n > 0").collect()
    n_records = {row.batch_id: row.n for row in held}
    digest = settings_digest(config, sources) + _digest_of(aliases)
    clean = {}
    if job.store.exists(tables.BATCHES):
        rows = job.store.read(tables.BATCHES).collect()
        due = job.as_of + timedelta(minutes=config.clock_skew_minutes)
        is_due = {
            row.batch_id: row.retry_ts and row.retry_ts.timestamp() <= due.timestamp()
            for row in rows
        }
        if all(row.settings == digest for row in rows):
            clean = {row.batch_id: row.days for row in rows if not is_due[row.batch_id]}
    clean = {batch: days for batch, days in clean.items() if batch not in again}
    new = {batch: n for batch, n in n_records.items() if batch not in clean}
    if new and needs_all(config):
        return Batches(n_records, {}, digest)
    return Batches(new, clean, digest)


def write_refused(job: Job, typed: DataFrame, rules: list[Rule], batches: Batches) -> Seen:
    """Write the new batches' refused records, and look at the rest in passing."""
    everything, refusals = Observation(), Observation()
    day = F.when(~F.col("_is_broken"), F.struct("batch_id", F.unix_date("event_date").alias("day")))
    days = F.to_json(F.collect_set(day)).alias("days")
    is_late = F.col("event_ts") > F.lit(_latest(job))
    late = F.min(F.when(is_late, F.unix_micros("event_ts"))).alias("late")
    refusing = {rule.reason for rule in rules if rule.severity == "refuse"}
    reasons = {name: F.array_contains("reasons", name) for name in sorted(refusing)}
    new = typed.where(F.col("batch_id").isin(list(batches.new)))
    marked = new.withColumn("_is_broken", is_broken(rules))
    observed = marked.observe(everything, days, late, *_counts(warnings_of(rules)))
    rows = refused(observed.where("_is_broken"), rules).observe(refusals, *_counts(reasons))
    where = f"batch_id IN ({_quoted(batches.new)})"
    job.store.replace(tables.QUARANTINE, rows, where=where)
    seen = everything.get | refusals.get
    kept = job.store.read(tables.QUARANTINE).where(where).groupBy("batch_id").count().collect()
    held: dict[str, list[date]] = {batch: [] for batch in batches.new}
    for pair in json.loads(seen["days"]):
        held[pair["batch_id"]].append(date(1970, 1, 1) + timedelta(days=pair["day"]))
    n_refused = {row["batch_id"]: row["count"] for row in kept}
    counts = {name: seen[name] for name in seen if name.startswith("reason.") and seen[name]}
    retry_ts = None if seen["late"] is None else datetime.fromtimestamp(seen["late"] / 1e6, UTC)
    return Seen(held, n_refused, retry_ts, counts)


def region_of(job: Job, batches: Batches, seen: Seen) -> Region:
    """The whole table, or the days that the new records act on."""
    everything = F.lit(True)
    if not batches.clean:
        return Region(None, None, everything, everything)
    reach = reach_of(job.settings.clean)
    days = {day for held in [*seen.days.values(), *batches.clean.values()] for day in held}
    written = spread((day for held in seen.days.values() for day in held), reach.written) & days
    read = spread(written, reach.read)
    again = batches_with(read, batches.clean)
    where = f"event_date IN ({_dates(written)})" if written else _NOTHING
    is_read = F.col("event_date").isin(sorted(read)) if read else F.lit(False)
    return Region([*batches.new, *again], where, is_read, F.expr(where))


def settle(job: Job, batches: Batches, seen: Seen, counts: dict[str, int]) -> None:
    """Check that no record is lost, enter the batches as clean, and record the funnel."""
    n_refused = sum(seen.n_refused.values())
    n_again = counts["accepted"] + n_refused - sum(batches.new.values())
    dropped = {
        f"dropped.{name}": n for name, n in counts.items() if name not in ("accepted", "kept")
    }
    if n_again < 0 or counts["accepted"] != counts["kept"] + sum(dropped.values()):
        raise DataError(f"clean: records are unaccounted for: {counts}, refused {n_refused}")
    rows = [
        (
            batch,
            batches.settings,
            sorted(seen.days[batch]),
            n,
            seen.n_refused.get(batch, 0),
            seen.retry_ts,
        )
        for batch, n in batches.new.items()
    ]
    entries = job.spark.createDataFrame(rows, tables.BATCHES.schema)
    if batches.clean:
        job.store.merge(tables.BATCHES, entries)
    else:
        job.store.replace(tables.BATCHES, entries)
    job.count("rows_in", counts["accepted"] + n_refused)
    if n_again:
        job.count("rows_in.again", n_again)
    job.count("quarantined", n_refused)
    for name, n in {**seen.counts, **dropped}.items():
        job.count(name, n)
    job.count("kept", counts["kept"])


def count_nothing(job: Job) -> None:
    """Record a run that found nothing new. Raises DataError when nothing ever was."""
    if not job.store.exists(tables.INTERACTIONS):
        raise DataError("no record has been taken in: every input file is empty")
    for name in ("rows_in", "quarantined", "kept"):
        job.count(name, 0)


def _counts(conditions: dict[str, Column]) -> list[Column]:
    return [F.count(F.when(met, 1)).alias(f"reason.{name}") for name, met in conditions.items()]


def _digest_of(aliases: DataFrame | None) -> str:
    if aliases is None:
        return ""
    # Exclusive or: no order of rows, no overflow.
    mixed = aliases.agg(F.bit_xor(F.xxhash64("item_id", "canonical_id")).alias("digest")).first()
    return f"-{(mixed['digest'] if mixed else 0) or 0}"


def _latest(job: Job) -> datetime:
    return job.as_of + timedelta(minutes=job.settings.clean.clock_skew_minutes)


def _require_sources(job: Job, ledger: DataFrame) -> None:
    """Every record held needs its source's settings."""
    configured = [source.name for source in job.settings.sources]
    others = ledger.where(~F.col("source").isin(configured)).select("source").distinct().collect()
    if not others:
        return
    names = [row.source for row in others]
    held = job.read(tables.EVENTS).where(F.col("source").isin(names)).select("source").first()
    if held is not None:
        raise ConfigError(
            "sources", f"bronze.events holds records of {held.source}, which is not configured"
        )


def _quoted(texts: Iterable[str]) -> str:
    return ", ".join(f"'{text}'" for text in sorted(texts))


def _dates(days: Iterable[date]) -> str:
    return ", ".join(f"DATE '{day.isoformat()}'" for day in sorted(days))
