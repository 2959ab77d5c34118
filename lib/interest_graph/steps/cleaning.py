"""How the clean step finds its work and keeps its accounts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date, timedelta

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from interest_graph import tables
from interest_graph.config import SourceConfig
from interest_graph.errors import ConfigError, DataError
from interest_graph.events.batches import batches_with, needs_all, reach_of, settings_digest, spread
from interest_graph.events.ledger import DONE
from interest_graph.events.same_items import aliases_of, same_pairs
from interest_graph.events.validate import Rule, built_in_rules, declared_rules
from interest_graph.graph.structure import components_of
from interest_graph.job import Job
from interest_graph.session import interpreting
from interest_graph.steps.refusing import Seen, among

_NOTHING = "false"
_FEW_RECORDS = 100_000


@dataclass(frozen=True)
class Batches:
    """Batches to clean with their numbers of records, and the days of those that are clean."""

    new: dict[str, int]
    clean: dict[str, list[date]]
    settings: str
    held: dict[str, int]  # records of every batch

    def are_small(self, batches: Iterable[str] | None) -> bool:
        """Whether these batches, or all, hold so few records that a plan is best not compiled."""
        chosen = self.held if batches is None else batches
        return sum(self.held.get(batch, 0) for batch in chosen) < _FEW_RECORDS


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
    with interpreting(job.spark):
        is_current = _has_aliases(job)
    if not is_current:
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
    n_records = _records_held(job, [source.name for source in sources])
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
        return Batches(n_records, {}, digest, n_records)
    return Batches(new, clean, digest, n_records)


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
    entries = job.spark.createDataFrame(rows, tables.BATCHES.schema).coalesce(1)
    # Of a batch that another run has entered meanwhile, this run's entry stays alone.
    where = among(batches.new) if batches.clean else None
    job.store.replace(tables.BATCHES, entries, where=where)
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


def _has_aliases(job: Job) -> bool:
    """Whether the last successful run left the aliases of these items, by these settings."""
    if not all(map(job.store.exists, (tables.RUNS, tables.BATCHES, tables.ITEM_ALIASES))):
        return False
    runs = job.store.read(tables.RUNS).where("job = 'clean' AND status = 'succeeded'")
    last = runs.orderBy(F.desc("started_ts")).select("reads", "writes").first()
    settings = settings_digest(job.settings.clean, event_sources(job))
    cleaned = job.store.read(tables.BATCHES).select("settings").distinct().collect()
    return (
        last is not None
        and last.reads.get(tables.ITEMS.name) == job.store.version(tables.ITEMS)
        and last.writes.get(tables.ITEM_ALIASES.name) == job.store.version(tables.ITEM_ALIASES)
        and {row.settings.split("-")[0] for row in cleaned} == {settings}
    )


def _digest_of(aliases: DataFrame | None) -> str:
    if aliases is None:
        return ""
    # Exclusive or: no order of rows, no overflow.
    mixed = aliases.agg(F.bit_xor(F.xxhash64("item_id", "canonical_id")).alias("digest")).first()
    return f"-{(mixed['digest'] if mixed else 0) or 0}"


def _records_held(job: Job, sources: Collection[str]) -> dict[str, int]:
    """Numbers of records of these sources by batch; those of every source must be configured."""
    ledger = job.read(tables.FILES).where(F.col("status") == DONE)
    held = ledger.groupBy("source", "batch_id").agg(F.sum("n_rows").alias("n")).collect()
    _require_configured(job, {row.source for row in held})
    n_records: Counter[str] = Counter()
    for row in held:
        if row.source in sources and row.n:
            n_records[row.batch_id] += row.n
    return dict(n_records)


def _require_configured(job: Job, sources: Collection[str]) -> None:
    """Every record held needs its source's settings."""
    others = set(sources) - {source.name for source in job.settings.sources}
    if not others:
        return
    records = job.read(tables.EVENTS).where(F.col("source").isin(sorted(others)))
    held = records.select("source").first()
    if held is not None:
        raise ConfigError(
            "sources", f"bronze.events holds records of {held.source}, which is not configured"
        )


def _dates(days: Iterable[date]) -> str:
    return ", ".join(f"DATE '{day.isoformat()}'" for day in sorted(days))
