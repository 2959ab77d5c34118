"""Writing one batch of the ingest job: claim its files, write its records, mark it as done."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import pyarrow as pa
from pyspark import StorageLevel
from pyspark.sql import DataFrame, Row

from interest_graph import tables
from interest_graph.contract import Table
from interest_graph.delta_state import Partitions, sql_of
from interest_graph.events.attribute_task import AttributeWork
from interest_graph.events.ingest_task import BRONZE, IngestWork, take_in
from interest_graph.events.kernel_frames import (
    added,
    large_rows,
    reader_errors,
    summaries,
    write_table,
)
from interest_graph.events.map_task import QUARANTINE, MapWork
from interest_graph.events.reading import Input, read_inputs
from interest_graph.events.sources import DONE, PENDING, InputFile
from interest_graph.handover import Packed
from interest_graph.job import Run
from interest_graph.jobs.ingest import attribute_merge
from interest_graph.small_tables import rows_of

ATTRIBUTES: dict[str, Table] = {
    "users": tables.USERS,
    "items": tables.ITEMS,
    "social_edges": tables.SOCIAL_EDGES,
}
# Few values, and columns whose values come again: others would fill dictionaries for nothing.
_CODED = ("source", "file", "user_id", "item_id", "action", "value", "user_agent", "payload")


def ledger_rows(run: Run) -> list[Row]:
    """The ledger's rows of the configured sources, one a file, collected to the driver."""
    names = {source.name for source in run.settings.sources}
    rows = run.store.read_rows(tables.FILES).to_pylist()
    return [Row(**row) for row in rows if row["source"] in names]


def claim(
    run: Run,
    batch: str,
    files: Sequence[InputFile],
    known: Sequence[Row],
    shapes: Mapping[str, str],
) -> list[InputFile]:
    """Enter the files in the ledger as pending.

    known: rows of the ledger read before; shapes: digest of the settings by source. Returns the
    files that now belong to this batch: without those that a concurrent run has entered since. Of
    two such runs, the one that commits first owns the file.
    """
    before = {(row.source, row.path) for row in known}
    mine: list[InputFile] = []

    def change(ledger: pa.Table) -> pa.Table:
        held = set(_keys(ledger))
        mine[:] = [f for f in files if _key(f) in before or _key(f) not in held]
        return _with_entries(ledger, _entries(batch, mine, PENDING, shapes))

    run.store.edit_rows(tables.FILES, change)
    return mine


def abandon(run: Run, batch: str) -> None:
    """Delete records and ledger entries of an unfinished batch whose files have changed or gone."""
    if run.store.exists(tables.EVENTS):
        run.store.delete(tables.EVENTS, f"batch_id = '{batch}'")
    run.store.delete(tables.FILES, f"batch_id = '{batch}'")


def forget(run: Run, sources: Iterable[str]) -> None:
    """Delete the records of these sources, which are about to be taken in with other settings."""
    names = ", ".join(map(repr, sorted(sources)))
    if names and run.store.exists(tables.EVENTS):
        run.store.delete(tables.EVENTS, f"source IN ({names})")


def write_events(
    run: Run, batch: str, inputs: Sequence[Input], clean: MapWork | None = None
) -> dict[str, int]:
    """Write the records of the batch to bronze.events, replacing what an earlier try wrote.

    clean: to hand the records over to the clean job. Returns the number of records by file. Raises
    DataError naming a file that is damaged.
    """
    bronze = run.store.files_of(tables.EVENTS, coded=_CODED)
    unkept = frozenset(i.source.name for i in inputs if i.source.bronze == "reference")
    work = IngestWork(batch, bronze, clean, unkept)
    rows = read_inputs(run.spark, inputs, partial(take_in, work=work))
    if bronze is None or clean is not None:
        rows = rows.persist(StorageLevel.DISK_ONLY)
    with reader_errors(), large_rows(run.spark):
        told = summaries(rows)
        write_table(run.store, tables.EVENTS, BRONZE, told, rows, {"batch_id": [batch]})
    if clean is not None and run.handover is not None:
        run.handover.batches[batch] = Packed(rows, told, clean)
    else:
        rows.unpersist()
    return added(told, "ingest")


def merge_attributes(run: Run, kind: str, batch: str, inputs: Sequence[Input]) -> dict[str, int]:
    """Merge new users, items or social edges into the stored rows, column by column.

    Refused records go to silver.quarantine. Returns the number of records by file.
    """
    table = ATTRIBUTES[kind]
    work = attribute_merge.work_of(run, table, kind, batch, inputs)
    with reader_errors(), large_rows(run.spark):
        rows, told = attribute_merge.merge(run, table, work, inputs)
        _write_refused(run, work, rows, told)
    rows.unpersist()
    return added(told, "ingest")


def _write_refused(
    run: Run, work: AttributeWork, rows: DataFrame, told: Sequence[Mapping[str, Any]]
) -> None:
    """Write refused records of attributes in place of an earlier try's, and count them by kind."""
    reasons = added(told, "reasons")
    place = {"batch_id": [work.batch], "kind": [work.kind]}
    if reasons or work.quarantine is not None or _holds(run, tables.QUARANTINE, place):
        write_table(run.store, tables.QUARANTINE, QUARANTINE, told, rows, place)
    for reason, n in sorted(reasons.items()):
        run.count(f"{work.kind}.refused.{reason}", n)


def _holds(run: Run, table: Table, place: Partitions) -> bool:
    """Whether the table has a row in these partitions, by Spark."""
    if not run.store.exists(table):
        return False
    return not run.store.read(table).where(sql_of(place) or "true").isEmpty()


def finish_batch(
    run: Run,
    batch: str,
    files: Sequence[InputFile],
    n_rows: Mapping[str, int],
    shapes: Mapping[str, str],
) -> None:
    """Mark the files of the batch as done, with their numbers of records."""
    done = _entries(batch, files, DONE, shapes, n_rows)
    run.store.edit_rows(tables.FILES, lambda ledger: _with_entries(ledger, done))


def _with_entries(ledger: pa.Table, entries: pa.Table) -> pa.Table:
    """The ledger with these entries in place of those of the same files."""
    renewed = set(_keys(entries))
    kept = pa.array([key not in renewed for key in _keys(ledger)], pa.bool_())
    return pa.concat_tables([ledger.filter(kept), entries])


def _keys(entries: pa.Table) -> list[tuple[str, str]]:
    columns = (entries[name].to_pylist() for name in ("source", "path"))
    return list(zip(*columns, strict=True))


def _key(file: InputFile) -> tuple[str, str]:
    return (file.source, file.path)


def _entries(
    batch: str,
    files: Sequence[InputFile],
    status: str,
    shapes: Mapping[str, str],
    n_rows: Mapping[str, int] | None = None,
) -> pa.Table:
    rows = [
        (
            file.source,
            file.path,
            file.size_bytes,
            file.modified_ts,
            batch,
            status,
            None if n_rows is None else n_rows.get(file.path, 0),
            shapes[file.source],
        )
        for file in files
    ]
    return rows_of(tables.FILES, rows)
