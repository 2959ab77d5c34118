"""Writing one batch of the ingest job: claim its files, write its records, mark it as done."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce

from pyspark.sql import DataFrame, Observation, Row
from pyspark.sql import functions as F

from interest_graph import tables
from interest_graph.config import SourceConfig
from interest_graph.config.sources import EVENT_COLUMNS
from interest_graph.contract import Table
from interest_graph.events.attributes import (
    as_given,
    complete_items,
    in_file_order,
    items_of,
    newest_by_key,
    social_edges_of,
    stored_first,
    users_of,
)
from interest_graph.events.parse import naming_broken_file, read_records
from interest_graph.events.source_schema import SourceSchema
from interest_graph.events.sources import DONE, PENDING, InputFile, as_input_files
from interest_graph.job import Run

Parts = Sequence[tuple[SourceConfig, SourceSchema]]

ATTRIBUTES: dict[str, tuple[Table, Callable[[DataFrame, SourceConfig], DataFrame]]] = {
    "users": (tables.USERS, users_of),
    "items": (tables.ITEMS, items_of),
    "social_edges": (tables.SOCIAL_EDGES, social_edges_of),
}


def ledger_rows(run: Run) -> list[Row]:
    """The ledger's rows of the configured sources, one a file, collected to the driver."""
    if not run.store.exists(tables.FILES):
        return []
    names = [source.name for source in run.settings.sources]
    return run.store.read(tables.FILES).where(F.col("source").isin(names)).collect()


def claim(
    run: Run, batch: str, files: Sequence[InputFile], known: Sequence[Row]
) -> list[InputFile]:
    """Enter the files in the ledger as pending.

    known: rows of the ledger read before. Returns the files that now belong to this batch: without
    those that a concurrent run has entered since.
    """
    held = {(row.source, row.path) for row in known}
    fresh = [file for file in files if (file.source, file.path) not in held]
    changed = [file for file in files if (file.source, file.path) in held]
    if fresh:
        # Insert only: of two concurrent runs, the one that commits first owns the file.
        run.store.merge(tables.FILES, _entries(run, batch, fresh, PENDING, {}), update=False)
    if changed:
        run.store.merge(tables.FILES, _entries(run, batch, changed, PENDING, {}))
    mine = run.store.read(tables.FILES).where(F.col("batch_id") == batch)
    return as_input_files(mine.collect())


def abandon(run: Run, batch: str) -> None:
    """Delete records and ledger entries of an unfinished batch whose files have changed or gone."""
    if run.store.exists(tables.EVENTS):
        run.store.delete(tables.EVENTS, f"batch_id = '{batch}'")
    run.store.delete(tables.FILES, f"batch_id = '{batch}'")


def write_events(run: Run, batch: str, parts: Parts) -> dict[str, int]:
    """Write the records of the batch to bronze.events, replacing what an earlier try wrote.

    Returns the number of records by path if the batch has a single file, else an empty dict. Raises
    DataError naming the file that is damaged.
    """
    frames = [_events(run, source, schema) for source, schema in parts]
    events = reduce(DataFrame.unionByName, frames).withColumn("batch_id", F.lit(batch))
    files, counted = _files(parts), Observation()
    if len(files) == 1:
        events = events.observe(counted, F.count(F.lit(1)).alias("n"))
    with naming_broken_file(run.spark, files):
        run.store.replace(tables.EVENTS, events, where=f"batch_id = '{batch}'")
    return {files[0].path: counted.get["n"]} if len(files) == 1 else {}


def merge_attributes(run: Run, kind: str, parts: Parts) -> None:
    """Merge new users, items or social edges into the stored rows, column by column."""
    table, shape = ATTRIBUTES[kind]
    records = [
        shape(in_file_order(read_records(run.spark, source, [schema]), _files(parts)), source)
        for source, schema in parts
    ]
    rows = reduce(DataFrame.unionByName, records)
    if run.store.exists(table):
        stored = run.store.read(table)
        held = stored.join(rows.select(*table.key).distinct(), list(table.key), how="left_semi")
        rows = rows.unionByName(stored_first(as_given(held) if kind == "items" else held))
    merged = newest_by_key(rows, table.key)
    with naming_broken_file(run.spark, _files(parts)):
        run.store.merge(table, complete_items(merged) if kind == "items" else merged)


def finish_batch(
    run: Run, batch: str, files: Sequence[InputFile], parts: Parts, known: dict[str, int]
) -> int:
    """Mark the files of the batch as done, with their numbers of records.

    known: numbers of records by path, as far as they have been counted; others are counted now.
    Returns the number of event records of the batch.
    """
    counted = [
        read_records(run.spark, source, [schema]).groupBy("file").count()
        for source, schema in parts
        if source.kind != "events"
    ]
    paths = {file.path for source, part in parts if source.kind == "events" for file in part.files}
    if paths - set(known):
        events = run.store.read(tables.EVENTS).where(F.col("batch_id") == batch)
        counted.append(events.groupBy("file").count())
    rows = reduce(DataFrame.unionByName, counted).collect() if counted else []
    n_rows = {**known, **{row["file"]: row["count"] for row in rows}}
    done = _entries(run, batch, files, DONE, n_rows)
    run.store.replace(tables.FILES, done, where=f"batch_id = '{batch}'")
    return sum(count for path, count in n_rows.items() if path in paths)


def _events(run: Run, source: SourceConfig, schema: SourceSchema) -> DataFrame:
    records = read_records(run.spark, source, [schema]).withColumn("source", F.lit(source.name))
    absent = {c: F.lit(None).cast("string") for c in EVENT_COLUMNS if c not in source.columns}
    return records.withColumns(absent) if absent else records


def _files(parts: Parts) -> list[InputFile]:
    return [file for _, schema in parts for file in schema.files]


def _entries(
    run: Run, batch: str, files: Sequence[InputFile], status: str, n_rows: dict[str, int]
) -> DataFrame:
    rows = [
        (f.source, f.path, f.size_bytes, f.modified_ts, batch, status, n_rows.get(f.path, 0))
        for f in files
    ]
    entries = run.spark.createDataFrame(rows, tables.FILES.schema).coalesce(1)
    return entries if status == DONE else entries.withColumn("n_rows", F.lit(None).cast("bigint"))
