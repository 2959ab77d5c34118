"""Rows between tasks: packed Arrow tables and summaries, few and large; the JVM sees no records.

part: where Spark sends the row; kind: what it holds; n: rows of the packed table; data: the table
as an Arrow stream, or a summary as JSON.
"""

from __future__ import annotations

import json
import resource
import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from interest_graph.events.records import constant
from interest_graph.table_files import TableWriter

COLUMNS = "part INT, kind STRING, n BIGINT, data BINARY"
EVENTS, SUMMARY = "events", "summary"

_SCHEMA = pa.schema(
    [("part", pa.int32()), ("kind", pa.string()), ("n", pa.int64()), ("data", pa.binary())]
)
_CODEC = pa.ipc.IpcWriteOptions(compression="lz4")


def labelled(rows: pa.Table, **values: str) -> pa.Table:
    """The rows with more columns, of one text each."""
    for name, value in values.items():
        rows = rows.append_column(name, constant(value, rows.num_rows))
    return rows


def packed(rows: pa.Table, kind: str, part: int) -> pa.RecordBatch:
    """A row that holds a table."""
    return _row(part, kind, rows.num_rows, to_bytes(rows))


def put_out(
    rows: pa.Table, kind: str, partition: Mapping[str, str], writer: TableWriter | None
) -> Iterator[pa.RecordBatch]:
    """Write rows of a table to this partition; without a writer they go out, for Spark to write."""
    if writer is not None:
        writer.write(rows, partition)
        return
    yield packed(labelled(rows, **partition), kind, 0)


def summary(content: Mapping[str, Any], part: int) -> pa.RecordBatch:
    """A row that holds what the task tells the driver, and the peak of its worker's memory."""
    told = {**content, "peak_mb": peak_mb()}
    return _row(part, SUMMARY, 0, pa.py_buffer(json.dumps(told).encode()))


def passed(row: Mapping[str, Any]) -> pa.RecordBatch:
    """A row as it came."""
    return _row(row["part"], row["kind"], row["n"], row["data"])


def rows_of(batches: Iterable[pa.RecordBatch]) -> Iterator[dict[str, Any]]:
    """The rows of Spark's batches; data as a buffer that is not copied."""
    for batch in batches:
        part, kind, n, data = (batch.column(name) for name in _SCHEMA.names)
        for place in range(batch.num_rows):
            yield {
                "part": part[place].as_py(),
                "kind": kind[place].as_py(),
                "n": n[place].as_py(),
                "data": data[place].as_buffer(),
            }


def joined(batches: Iterable[pa.RecordBatch], n_rows: int) -> Iterator[pa.Table]:
    """Batches put together to tables of at least n_rows, but for the last."""
    held: list[pa.RecordBatch] = []
    n_held = 0
    for batch in batches:
        held.append(batch)
        n_held += len(batch)
        if n_held >= n_rows:
            yield pa.Table.from_batches(held).combine_chunks()
            held.clear()
            n_held = 0
    if held:
        yield pa.Table.from_batches(held).combine_chunks()


def told(row: Mapping[str, Any]) -> dict[str, Any]:
    """The content of a summary's row."""
    content: dict[str, Any] = json.loads(bytes(row["data"]))
    return content


def to_bytes(rows: pa.Table) -> pa.Buffer:
    """The table as an Arrow stream."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, rows.schema, options=_CODEC) as stream:
        stream.write_table(rows)
    return sink.getvalue()


def from_bytes(data: pa.Buffer | bytes) -> pa.Table:
    """The table behind `to_bytes`."""
    return pa.ipc.open_stream(data).read_all()


def peak_mb() -> int:
    """The largest memory that this process has had, MiB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(peak / (2**20 if sys.platform == "darwin" else 2**10))


def _one_binary(data: pa.Buffer) -> pa.Array:
    """An array of this one value, which is not copied."""
    ends = pa.py_buffer(np.array([0, data.size], np.int32))
    return pa.Array.from_buffers(pa.binary(), 1, [None, ends, data])


def _row(part: int, kind: str, n: int, data: pa.Buffer) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays(
        [
            pa.array([part], pa.int32()),
            pa.array([kind], pa.string()),
            pa.array([n], pa.int64()),
            _one_binary(data),
        ],
        schema=_SCHEMA,
    )
