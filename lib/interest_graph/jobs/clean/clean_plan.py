"""Planning of the clean job: which batches and days to clean, and recording what was done."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date, timedelta

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from interest_graph import tables
from interest_graph.config import Settings
from interest_graph.errors import ConfigError, DataError
from interest_graph.events.caps import with_fitted_caps
from interest_graph.events.near_duplicates import aliases_of, near_duplicate_pairs
from interest_graph.events.reprocess_window import (
    batches_with,
    needs_all,
    reach_of,
    settings_digest,
    widen,
)
from interest_graph.events.sources import DONE
from interest_graph.graph.structure import components_of
from interest_graph.job import Run
from interest_graph.jobs.clean.quarantine import FirstPass, in_batches
from interest_graph.session import interpreting

_NOTHING = "false"
_FEW_RECORDS = 100_000


@dataclass(frozen=True)
class Batches:
    """Batches by id. new, held: numbers of records, of batches to clean and of all batches.

    clean: days of each batch that is clean; settings: digest of what decides the cleaning.
    """

    new: dict[str, int]
    clean: dict[str, list[date]]
    settings: str
    held: dict[str, int]

    def are_small(self, batches: Iterable[str] | None) -> bool:
        """Whether these batches (None: all) have so few records that compiling a plan is slower."""
        chosen = self.held if batches is None else batches
        return sum(self.held.get(batch, 0) for batch in chosen) < _FEW_RECORDS


@dataclass(frozen=True)
class Region:
    """What a run reads and rewrites. batches: to read; where: rows to replace; None for all.

    is_read, is_written: columns, true for records of the days to read and to rewrite.
    """

    batches: list[str] | None
    where: str | None
    is_read: Column
    is_written: Column

    @property
    def is_empty(self) -> bool:
        """Whether there is no day to rewrite, because all new records were refused."""
        return self.where == _NOTHING

    def select(self, records: DataFrame) -> DataFrame:
        """The records of the batches to read."""
        return (
            records if self.batches is None else records.where(F.col("batch_id").isin(self.batches))
        )


def with_caps(run: Run) -> Settings:
    """The settings of this run, with the fitted caps of silver.value_caps as fixed ones."""
    clean = run.settings.clean
    if not clean.fitted_caps:
        return run.settings
    table = run.read_if_written(tables.VALUE_CAPS)
    fitted = table.collect() if table is not None else []  # a row an action
    return run.settings.model_copy(update={"clean": with_fitted_caps(clean, fitted)})


def write_aliases(run: Run) -> DataFrame | None:
    """Find items that are listed twice: item_id, canonical_id; None if same_items is not set."""
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
    """Delta versions of silver.batches and silver.interactions, to detect concurrent runs."""
    return run.store.version(tables.BATCHES), run.store.version(tables.INTERACTIONS)


def wrote_alone(run: Run, before: tuple[int, int]) -> bool:
    """Whether rows of these tables have changed at most once, by this run, since `before`."""
    written = zip((tables.BATCHES, tables.INTERACTIONS), before, strict=True)
    changes = [run.store.changes_since(table, version) for table, version in written]
    return all(n_changes in (0, 1) for n_changes in changes)


def batches_to_clean(run: Run, aliases: DataFrame | None, again: Collection[str] = ()) -> Batches:
    """Compare the ledger with silver.batches to find the batches to clean.

    All batches are new when settings or aliases have changed. A batch with records in the future is
    new again once their time has come. again: batches that are new in any case.
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


def region_of(run: Run, batches: Batches, first_pass: FirstPass) -> Region:
    """The region to clean: all if no batch is clean, else the days that the new records affect."""
    if not batches.clean:
        return Region(None, None, F.lit(True), F.lit(True))
    reach = reach_of(run.settings.clean)
    new = {day for held in first_pass.days.values() for day in held}
    known = new.union(*batches.clean.values())
    written = widen(new, reach.written) & known
    read = widen(written, reach.read)
    again = batches_with(read, batches.clean)
    where = f"event_date IN ({_dates(written)})" if written else _NOTHING
    is_read = F.col("event_date").isin(sorted(read)) if read else F.lit(False)
    return Region([*batches.new, *again], where, is_read, F.expr(where))


def record_batches(
    run: Run, batches: Batches, first_pass: FirstPass, counts: dict[str, int]
) -> None:
    """Check the row counts, enter the batches in silver.batches, and count the rows of the run.

    Raises DataError unless records in = accepted + refused and accepted = kept + dropped.
    """
    n_refused = sum(first_pass.n_refused.values())
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
            sorted(first_pass.days[batch]),
            n,
            first_pass.n_refused.get(batch, 0),
            first_pass.retry_ts,
        )
        for batch, n in batches.new.items()
    ]
    entries = run.spark.createDataFrame(rows, tables.BATCHES.schema).coalesce(1)
    # Replaces the entry of a batch that a concurrent run has made meanwhile.
    where = in_batches(batches.new) if batches.clean else None
    run.store.replace(tables.BATCHES, entries, where=where)
    run.count("rows_in", counts["accepted"] + n_refused)
    if n_again:
        run.count("rows_in.again", n_again)
    run.count("quarantined", n_refused)
    for name, n in {**first_pass.counts, **dropped}.items():
        run.count(name, n)
    run.count("kept", counts["kept"])


def record_no_work(run: Run) -> None:
    """Count zero rows for a run without new batches. Raises DataError if none was ever ingested."""
    if not run.store.exists(tables.INTERACTIONS):
        raise DataError("no record has been taken in: every input file is empty")
    for name in ("rows_in", "quarantined", "kept"):
        run.count(name, 0)


def _has_aliases(run: Run) -> bool:
    """Whether silver.item_aliases is up to date with silver.items and the settings."""
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
    # Exclusive or of row hashes: independent of the order of the rows, and cannot overflow.
    mixed = aliases.agg(F.bit_xor(F.xxhash64("item_id", "canonical_id")).alias("digest")).first()
    return f"-{(mixed['digest'] if mixed else 0) or 0}"


def _records_held(run: Run, sources: Collection[str]) -> dict[str, int]:
    """Ingested records by batch, of these sources. Raises ConfigError for unconfigured ones."""
    ledger = run.read(tables.FILES).where(F.col("status") == DONE)
    held = ledger.groupBy("source", "batch_id").agg(F.sum("n_rows").alias("n")).collect()
    _require_configured(run, {row.source for row in held})
    n_records: Counter[str] = Counter()
    for row in held:
        if row.source in sources and row.n:
            n_records[row.batch_id] += row.n
    return dict(n_records)


def _require_configured(run: Run, sources: Collection[str]) -> None:
    """Raise ConfigError if a source with ingested records is not configured."""
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
