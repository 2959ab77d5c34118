"""What tasks do with users, items or social edges: shape records, send rows by key, merge them.

No Spark here: records, files of the table and rows of task_rows come in, such rows go out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from interest_graph.config import SourceConfig
from interest_graph.events import task_rows
from interest_graph.events.attribute_rows import shape_rows
from interest_graph.events.attributes import FILE, POSITION, merge, typed
from interest_graph.events.facts import split_by_key
from interest_graph.events.map_task import QUARANTINE
from interest_graph.table_files import TableFiles, files_as_json
from interest_graph.worker_files import WorkerFiles

RECORDS, STORED, MERGED = "records", "stored", "merged"
_ROWS = 32_768  # stored rows that are sent at once
_ROWS_PACKED = 20_000  # merged rows that travel in one row


@dataclass(frozen=True)
class AttributeWork:
    """What every task knows; picklable.

    schema, key: of the table; ranks: by source and file its place by modification time; keys: for
    each part the key by which Spark sends rows to it; files, quarantine: where merged rows and
    refused records are written, None: they go out as rows.
    """

    kind: str
    batch: str
    schema: pa.Schema
    key: tuple[str, ...]
    sources: Mapping[str, SourceConfig]
    ranks: Mapping[tuple[str, str], int]
    keys: tuple[int, ...]
    files: TableFiles | None
    quarantine: TableFiles | None


def shape_records(
    read: Iterable[tuple[str, str, pa.Table]], task: str, *, work: AttributeWork
) -> Iterator[pa.RecordBatch]:
    """Rows by part and refused records of source, file, records; a summary.

    The summary counts records by file (`ingest`) and refused ones by reason (`reasons`).
    """
    counted: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    writer = work.quarantine.writer(task) if work.quarantine is not None else None
    for source, file, records in read:
        shaped = shape_rows(records, work.sources[source])
        counted[file] += records.num_rows
        yield from _sent(_ordered(shaped.rows, work.ranks[source, file], work), RECORDS, work)
        if shaped.refused.num_rows:
            reasons.update(shaped.refused["reasons"].combine_chunks().flatten().to_pylist())
            refused = task_rows.labelled(shaped.refused, source=source, file=file)
            columns = refused.select(["source", "file", "position", "reasons", "payload"])
            partition = {"batch_id": work.batch, "kind": work.kind}
            yield from task_rows.put_out(columns, QUARANTINE, partition, writer)
    told = {"ingest": dict(counted), "reasons": dict(reasons)}
    written = {} if writer is None else {QUARANTINE: files_as_json(writer.close())}
    yield task_rows.summary({**told, **written}, 0)


def send_files(
    paths: Sequence[str], _task: str, *, work: AttributeWork, access: WorkerFiles
) -> Iterator[pa.RecordBatch]:
    """The rows stored in the table's files, by part. paths: as WorkerFiles opens them."""
    for path in paths:
        with access.open(path) as stream:
            yield from send_rows(pq.ParquetFile(stream).iter_batches(_ROWS), _task, work=work)


def send_rows(
    batches: Iterable[pa.RecordBatch], _task: str, *, work: AttributeWork
) -> Iterator[pa.RecordBatch]:
    """The same of rows that Spark reads."""
    for rows in task_rows.joined(batches, _ROWS):
        yield from _sent(typed(rows, work.schema), STORED, work)


def merge_rows(
    batches: Iterable[pa.RecordBatch], task: str, *, work: AttributeWork
) -> Iterator[pa.RecordBatch]:
    """One row a key of the part's records and stored rows, as a file of the table, and a summary.

    Without work.files the rows go out that may differ from stored ones. Other rows go out as they
    came. The summary has under MERGED the files, and under `changed` 1 where any row is not as it
    was stored.
    """
    stored = [pa.schema(_columns(work)).empty_table()]
    records = [_record_schema(work).empty_table()]
    for row in task_rows.rows_of(batches):
        if row["kind"] in (RECORDS, STORED):
            held = records if row["kind"] == RECORDS else stored
            held.append(task_rows.from_bytes(row["data"]))
        else:
            yield task_rows.passed(row)
    merged = merge(pa.concat_tables(records), pa.concat_tables(stored), work.key)
    told = {"changed": {work.kind: int(merged.is_changed)}}
    if work.files is None:
        if merged.is_changed:
            yield from _packed(merged.rows)
        yield task_rows.summary(told, 0)
        return
    writer = work.files.writer(task)
    if merged.is_changed or len(work.keys) > 1:  # another part may have changed
        writer.write(pa.concat_tables([merged.others, merged.rows]), {})
    yield task_rows.summary({**told, MERGED: files_as_json(writer.close())}, 0)


def _packed(rows: pa.Table) -> Iterator[pa.RecordBatch]:
    for start in range(0, rows.num_rows, _ROWS_PACKED):
        yield task_rows.packed(rows.slice(start, _ROWS_PACKED), MERGED, 0)


def _sent(rows: pa.Table, kind: str, work: AttributeWork) -> Iterator[pa.RecordBatch]:
    """The rows, packed by part."""
    for key, some in zip(work.keys, split_by_key(rows, work.key, len(work.keys)), strict=True):
        if some.num_rows:
            yield task_rows.packed(some, kind, key)


def _ordered(rows: pa.Table, rank: int, work: AttributeWork) -> pa.Table:
    """Shaped rows of a file with the columns that order them."""
    order = {FILE: pa.array(np.full(rows.num_rows, rank)), POSITION: rows["position"]}
    columns = {name: rows[name] for name in work.schema.names}
    return typed(pa.table({**columns, **order}), _record_schema(work))


def _columns(work: AttributeWork) -> list[pa.Field]:
    """The table's columns; before rows are merged, any may hold null."""
    return [pa.field(field.name, field.type) for field in work.schema]


def _record_schema(work: AttributeWork) -> pa.Schema:
    return pa.schema([*_columns(work), (FILE, pa.int64()), (POSITION, pa.int64())])
