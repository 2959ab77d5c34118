"""Planning of the clean job: which batches and days to clean, and recording what was done."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, timedelta

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F

from interest_graph import tables
from interest_graph.config import Settings
from interest_graph.delta_state import Partitions
from interest_graph.errors import ConfigError, DataError, MissingTableError
from interest_graph.events.caps import with_fitted_caps
from interest_graph.events.near_duplicates import aliases_of, near_duplicate_pairs
from interest_graph.events.periods import grain_for, grain_of, periods_of, whole_periods
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
from interest_graph.jobs.clean.first_pass import FirstPass
from interest_graph.session import interpreting
from interest_graph.small_tables import rows_of


@dataclass(frozen=True)
class Batches:
    """Batches by id. new, held: numbers of records, of batches to clean and of all batches.

    clean: days of each batch that is clean; settings: digest of what decides the cleaning.
    """

    new: dict[str, int]
    clean: dict[str, list[date]]
    settings: str
    held: dict[str, int]


@dataclass(frozen=True)
class Region:
    """What a run reads and rewrites.

    batches: clean ones to read again, None: there are none; read, written: days of them to read and
    of all records to rewrite, None: all; replaced: partitions to replace; grain: how long a period
    is.
    """

    batches: list[str] | None
    read: set[date] | None
    written: set[date] | None
    replaced: Partitions
    grain: str

    @property
    def is_empty(self) -> bool:
        """Whether there is no day to rewrite, because all new records were refused."""
        return self.written is not None and not self.written


def upgrade_tables(run: Run) -> None:
    """Bring tables that an earlier release wrote to their present layout."""
    period = {"event_period": F.date_format("event_date", "yyyy-MM-dd")}
    run.store.upgrade(tables.INTERACTIONS, period)
    run.store.upgrade(tables.BOTS, period)
    run.store.upgrade(tables.QUARANTINE, {"kind": F.lit("events")})


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
        rows = [Row(**row) for row in run.store.read_rows(tables.BATCHES).to_pylist()]
        due = run.as_of + timedelta(minutes=config.clock_skew_minutes)
        is_due = {
            row.batch_id: row.retry_ts and row.retry_ts.timestamp() <= due.timestamp()
            for row in rows
        }
        # A batch that was taken in again, or is gone, leaves facts that only a clean start removes.
        is_as_held = all(n_records.get(row.batch_id) == row.n_records for row in rows)
        if is_as_held and all(row.settings == digest for row in rows):
            clean = {row.batch_id: row.days for row in rows if not is_due[row.batch_id]}
    clean = {batch: days for batch, days in clean.items() if batch not in again}
    new = {batch: n for batch, n in n_records.items() if batch not in clean}
    if new and needs_all(config):
        return Batches(n_records, {}, digest, n_records)
    return Batches(new, clean, digest, n_records)


def region_of(run: Run, batches: Batches, first_pass: FirstPass) -> Region:
    """The region to clean: all if no batch is clean, else the periods that new records affect."""
    new = {day for held in first_pass.days.values() for day in held}
    grain = _grain(run)
    if not batches.clean or grain is None:
        n_accepted = sum(batches.new.values()) - sum(first_pass.n_refused.values())
        again = sorted(batches.clean) or None
        known = new.union(*batches.clean.values())
        return Region(again, known, None, {}, grain_for(n_accepted, known))
    reach = reach_of(run.settings.clean)
    known = new.union(*batches.clean.values())
    written = whole_periods(widen(new, reach.written) & known, grain, known)
    read = widen(written, reach.read)
    replaced = {"event_period": periods_of(written, grain)}
    again = batches_with(read, batches.clean)
    return Region(again or None, read, written, replaced, grain)


def _grain(run: Run) -> str | None:
    """The grain of silver.interactions; None where it holds nothing."""
    if not run.store.exists(tables.INTERACTIONS):
        return None
    files = run.store.live_files(tables.INTERACTIONS, {})
    if files is None:
        held = run.store.read(tables.INTERACTIONS).select("event_period").distinct().collect()
        return grain_of(row["event_period"] for row in held)
    return grain_of(file.partition["event_period"] for file in files)


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
    entries = rows_of(tables.BATCHES, rows)

    def change(held: pa.Table) -> pa.Table:
        """Replaces the entry of a batch that a concurrent run has made meanwhile."""
        kept = held if batches.clean else held.slice(0, 0)
        is_new = pc.is_in(kept["batch_id"], entries["batch_id"].combine_chunks())
        return pa.concat_tables([kept.filter(pc.invert(is_new)), entries])

    run.store.edit_rows(tables.BATCHES, change)
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
    last = run.last_success()
    if last is None or not run.store.exists(tables.ITEM_ALIASES):
        return False
    settings = settings_digest(run.settings.clean, run.settings.event_sources)
    cleaned = run.store.read_rows(tables.BATCHES)["settings"].to_pylist()
    known = (
        (tables.ITEMS, dict(last["reads"]).get(tables.ITEMS.name, -1)),
        (tables.ITEM_ALIASES, dict(last["writes"])[tables.ITEM_ALIASES.name]),
    )
    are_unchanged = all(run.store.changes_since(table, version) == 0 for table, version in known)
    return are_unchanged and {digest.split("-")[0] for digest in cleaned} == {settings}


def _digest_of(aliases: DataFrame | None) -> str:
    if aliases is None:
        return ""
    # Exclusive or of row hashes: independent of the order of the rows, and cannot overflow.
    mixed = aliases.agg(F.bit_xor(F.xxhash64("item_id", "canonical_id")).alias("digest")).first()
    return f"-{(mixed['digest'] if mixed else 0) or 0}"


def _records_held(run: Run, sources: Collection[str]) -> dict[str, int]:
    """Ingested records by batch, of these sources. Raises ConfigError for unconfigured ones."""
    if run.inputs[tables.FILES.name].version < 0:
        raise MissingTableError(tables.FILES.name, tables.FILES.writer)
    ledger = run.store.read_rows(tables.FILES)
    done = ledger.filter(pc.equal(ledger["status"], DONE))
    held = done.group_by(["source", "batch_id"]).aggregate([("n_rows", "sum")]).to_pylist()
    _require_configured(run, {row["source"] for row in held})
    n_records: Counter[str] = Counter()
    for row in held:
        if row["source"] in sources and row["n_rows_sum"]:
            n_records[row["batch_id"]] += row["n_rows_sum"]
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
