"""How the clean step finds its work and keeps its accounts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date, timedelta

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from interest_graph import tables
from interest_graph.errors import ConfigError, DataError
from interest_graph.events.near_duplicates import aliases_of, near_duplicate_pairs
from interest_graph.events.reprocess_window import (
    batches_with,
    needs_all,
    reach_of,
    settings_digest,
    spread,
)
from interest_graph.events.sources import DONE
from interest_graph.graph.structure import components_of
from interest_graph.job import Run
from interest_graph.jobs.clean.quarantine import Seen, among
from interest_graph.session import interpreting

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


def write_aliases(run: Run) -> DataFrame | None:
    """Find the items that are listed twice; None where nobody asked."""
    config = run.settings.clean.same_items
    if config is None or not run.store.exists(tables.ITEMS):
        return None
    with interpreting(run.spark):
        is_current = _has_aliases(run)
    if not is_current:
        pairs = near_duplicate_pairs(run.store.read(tables.ITEMS), config)
        run.store.replace(tables.ITEM_ALIASES, aliases_of(components_of(pairs, run.settings.graph)))
    return run.store.read(tables.ITEM_ALIASES)


def versions(run: Run) -> tuple[int, int]:
    """Versions of the tables that a concurrent run would write."""
    return run.store.version(tables.BATCHES), run.store.version(tables.INTERACTIONS)


def is_undisturbed(run: Run, before: tuple[int, int]) -> bool:
    """Whether since then nobody but this run, once, has changed their rows."""
    written = zip((tables.BATCHES, tables.INTERACTIONS), before, strict=True)
    changes = [run.store.changes_since(table, version) for table, version in written]
    return all(n_changes in (0, 1) for n_changes in changes)


def batches_to_clean(run: Run, aliases: DataFrame | None, again: Collection[str] = ()) -> Batches:
    """Compare the ledger with silver.batches; changed settings or aliases make every batch new.

    again: batches that count as new in any case.
    """
    config, sources = run.settings.clean, run.settings.event_sources
    n_records = _records_held(run, [source.name for source in sources])
    digest = settings_digest(config, sources) + _digest_of(aliases)
    clean = {}
    if run.store.exists(tables.BATCHES):
        rows = run.store.read(tables.BATCHES).collect()
        due = run.as_of + timedelta(minutes=config.clock_skew_minutes)
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


def region_of(run: Run, batches: Batches, seen: Seen) -> Region:
    """The whole table, or the days that the new records act on."""
    everything = F.lit(True)
    if not batches.clean:
        return Region(None, None, everything, everything)
    reach = reach_of(run.settings.clean)
    days = {day for held in [*seen.days.values(), *batches.clean.values()] for day in held}
    written = spread((day for held in seen.days.values() for day in held), reach.written) & days
    read = spread(written, reach.read)
    again = batches_with(read, batches.clean)
    where = f"event_date IN ({_dates(written)})" if written else _NOTHING
    is_read = F.col("event_date").isin(sorted(read)) if read else F.lit(False)
    return Region([*batches.new, *again], where, is_read, F.expr(where))


def settle(run: Run, batches: Batches, seen: Seen, counts: dict[str, int]) -> None:
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
    entries = run.spark.createDataFrame(rows, tables.BATCHES.schema).coalesce(1)
    # Of a batch that another run has entered meanwhile, this run's entry stays alone.
    where = among(batches.new) if batches.clean else None
    run.store.replace(tables.BATCHES, entries, where=where)
    run.count("rows_in", counts["accepted"] + n_refused)
    if n_again:
        run.count("rows_in.again", n_again)
    run.count("quarantined", n_refused)
    for name, n in {**seen.counts, **dropped}.items():
        run.count(name, n)
    run.count("kept", counts["kept"])


def count_nothing(run: Run) -> None:
    """Record a run that found nothing new. Raises DataError when nothing ever was."""
    if not run.store.exists(tables.INTERACTIONS):
        raise DataError("no record has been taken in: every input file is empty")
    for name in ("rows_in", "quarantined", "kept"):
        run.count(name, 0)


def _has_aliases(run: Run) -> bool:
    """Whether the last successful run left the aliases of these items, by these settings."""
    if not all(map(run.store.exists, (tables.RUNS, tables.BATCHES, tables.ITEM_ALIASES))):
        return False
    runs = run.store.read(tables.RUNS).where("job = 'clean' AND status = 'succeeded'")
    last = runs.orderBy(F.desc("started_ts")).select("reads", "writes").first()
    if last is None:
        return False
    settings = settings_digest(run.settings.clean, run.settings.event_sources)
    cleaned = run.store.read(tables.BATCHES).select("settings").distinct().collect()
    known = (
        (tables.ITEMS, last.reads.get(tables.ITEMS.name, -1)),
        (tables.ITEM_ALIASES, last.writes[tables.ITEM_ALIASES.name]),
    )
    are_unchanged = all(run.store.changes_since(table, version) == 0 for table, version in known)
    return are_unchanged and {row.settings.split("-")[0] for row in cleaned} == {settings}


def _digest_of(aliases: DataFrame | None) -> str:
    if aliases is None:
        return ""
    # Exclusive or: no order of rows, no overflow.
    mixed = aliases.agg(F.bit_xor(F.xxhash64("item_id", "canonical_id")).alias("digest")).first()
    return f"-{(mixed['digest'] if mixed else 0) or 0}"


def _records_held(run: Run, sources: Collection[str]) -> dict[str, int]:
    """Numbers of records of these sources by batch; those of every source must be configured."""
    ledger = run.read(tables.FILES).where(F.col("status") == DONE)
    held = ledger.groupBy("source", "batch_id").agg(F.sum("n_rows").alias("n")).collect()
    _require_configured(run, {row.source for row in held})
    n_records: Counter[str] = Counter()
    for row in held:
        if row.source in sources and row.n:
            n_records[row.batch_id] += row.n
    return dict(n_records)


def _require_configured(run: Run, sources: Collection[str]) -> None:
    """Every record held needs its source's settings."""
    others = set(sources) - {source.name for source in run.settings.sources}
    if not others:
        return
    records = run.read(tables.EVENTS).where(F.col("source").isin(sorted(others)))
    held = records.select("source").first()
    if held is not None:
        raise ConfigError(
            "sources", f"bronze.events holds records of {held.source}, which is not configured"
        )


def _dates(days: Iterable[date]) -> str:
    return ", ".join(f"DATE '{day.isoformat()}'" for day in sorted(days))
