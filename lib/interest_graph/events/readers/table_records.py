"""Records of tables: Arrow data with declared types, from Parquet files or from Delta tables."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from interest_graph.config import SourceConfig
from interest_graph.errors import DataError, one_line
from interest_graph.events.readers.arrow_text import json_of, objects_of, text_of
from interest_graph.events.readers.column_names import refuse_missing
from interest_graph.events.readers.folder_values import constant, folder_of
from interest_graph.events.records import Layout, schema_of

# A missing value turns a table's integers into floating-point numbers; here they become integers
# again. Times with them: an epoch is read digit by digit.
_WHOLE = {"event_id", "user_id", "item_id", "friend_id", "event_time"}
_ROWS = 100_000  # in a batch at most
_BYTES = 1 << 26  # of a batch, so that rows of long texts fit too


def records_of(
    table: pa.Table | pa.RecordBatch, first_row: int, source: SourceConfig, layout: Layout
) -> pa.Table:
    """The rows as records; first_row: number of the first one within its file.

    A mapped column that the table lacks comes from the folders of the layout, else it is null. The
    payload has all other top-level columns: of a column that only a part is mapped of, the whole.
    """
    batches = [table] if isinstance(table, pa.RecordBatch) else table.to_batches(_ROWS)
    records = []
    for batch in batches:
        records.append(_batch_records(batch, first_row, source, layout))
        first_row += batch.num_rows
    return pa.Table.from_batches(records, schema_of(source.columns))


def resolve(name: str, schema: pa.Schema) -> tuple[int, ...] | None:
    """Where a column is: its index, then those of fields within structs; None where there is none.

    In this order: a column of that name, dots and all; a field of a struct (a.b); either of them
    by a name that differs in case alone, if only one does.
    """
    fields = list(schema)
    exact = _candidates(name, fields, str)
    if exact:
        return exact[0]
    alike = _candidates(name, fields, str.lower)
    shortest = [path for path in alike if len(path) == min(map(len, alike))]
    return shortest[0] if len(shortest) == 1 else None


def inspect_parquet(
    file: BinaryIO | str,
    source: SourceConfig,
    folders: Mapping[str, str | None] | None = None,
) -> Layout | None:
    """The layout of a Parquet file, None of an empty one; folders: columns that its path gives.

    Raises DataError where it is no Parquet file or lacks a mapped column, without the file's name.
    """
    if _is_empty(file):
        return None
    with _opened(file) as parquet:
        return layout_of(parquet.schema_arrow, source, folders)


def layout_of(
    schema: pa.Schema, source: SourceConfig, folders: Mapping[str, str | None] | None = None
) -> Layout:
    """The layout of a table. Raises DataError for mapped columns that it lacks."""
    layout = Layout(tuple(_leaves(schema)), folders=folders or {})
    missing = [
        name
        for column, name in source.columns.items()
        if column not in source.optional
        and resolve(name, schema) is None
        and folder_of(name, layout.folders) is None
    ]
    refuse_missing(missing, [*layout.columns, *layout.folders])
    return layout


def read_parquet(
    file: BinaryIO | str,
    source: SourceConfig,
    layout: Layout,
    row_groups: Sequence[int] | None = None,
) -> Iterator[pa.Table]:
    """Records of a Parquet file, batch by batch; row_groups: indices of those to read, else all.

    Memory: one batch, and what Parquet needs for one page of each column. Raises DataError where
    the file is damaged.
    """
    with _opened(file) as parquet:
        footer = parquet.metadata
        sizes = [footer.row_group(n).num_rows for n in range(footer.num_row_groups)]
        ends = np.cumsum(sizes, dtype=np.int64)
        _require_equal(sum(sizes), footer.num_rows)
        for group in range(len(sizes)) if row_groups is None else row_groups:
            row = int(ends[group]) - sizes[group]
            for batch in _batches(parquet, group):
                yield records_of(batch, row, source, layout)
                row += batch.num_rows
            _require_equal(row, int(ends[group]))


def _require_equal(n_rows: int, declared: int) -> None:
    if n_rows != declared:
        raise DataError("is damaged (it has other numbers of rows than it says)")


def _batch_records(
    batch: pa.RecordBatch, first_row: int, source: SourceConfig, layout: Layout
) -> pa.RecordBatch:
    n_rows = batch.num_rows
    mapped = {column: _place(name, batch.schema, layout) for column, name in source.columns.items()}
    taken = {place.path[0] for place in mapped.values() if len(place.path) == 1}
    rest = [index for index in range(batch.num_columns) if index not in taken]
    payload = objects_of(
        [batch.schema.field(index).name for index in rest],
        [json_of(batch.column(index)) for index in rest],
        n_rows,
    )
    fixed = [
        pa.array(np.arange(first_row, first_row + n_rows, dtype=np.int64)),
        pa.nulls(n_rows, pa.int64()),
        pa.array(np.ones(n_rows, dtype=bool)),
        payload,
    ]
    texts = [_mapped_text(batch, place, column in _WHOLE) for column, place in mapped.items()]
    return pa.RecordBatch.from_arrays([*fixed, *texts], schema=schema_of(source.columns))


@dataclass(frozen=True)
class _Place:
    """Where a mapped column is: in the table, if it has a path, else a constant of the folders."""

    path: tuple[int, ...] = ()
    constant: str | None = None


def _place(name: str, schema: pa.Schema, layout: Layout) -> _Place:
    path = resolve(name, schema)
    if path is not None:
        return _Place(path)
    folder = folder_of(name, layout.folders)
    return _Place(constant=None if folder is None else layout.folders[folder])


def _mapped_text(batch: pa.RecordBatch, place: _Place, whole: bool) -> pa.StringArray:
    if not place.path:
        return constant(place.constant, batch.num_rows)
    top, *inner = place.path
    column = batch.column(top)
    for index in inner:
        column = column.flatten()[index]  # null where the struct is null
    return text_of(column, whole=whole)


def _candidates(
    name: str, fields: Sequence[pa.Field], fold: Callable[[str], str]
) -> list[tuple[int, ...]]:
    """Paths to all fields of that name, those at the top first."""
    wanted = fold(name)
    whole: list[tuple[int, ...]] = [
        (index,) for index, field in enumerate(fields) if fold(field.name) == wanted
    ]
    within = [
        (index, *path)
        for index, field in enumerate(fields)
        if pa.types.is_struct(field.type) and wanted.startswith(f"{fold(field.name)}.")
        for path in _candidates(name[len(field.name) + 1 :], list(field.type), fold)
    ]
    return whole + within


def _leaves(fields: pa.Schema | pa.StructType, prefix: str = "") -> Iterator[str]:
    """Names of the columns and, dotted, of the fields within structs."""
    for field in fields:
        yield f"{prefix}{field.name}"
        if pa.types.is_struct(field.type):
            yield from _leaves(field.type, f"{prefix}{field.name}.")


def _is_empty(file: BinaryIO | str) -> bool:
    if isinstance(file, str):
        return os.path.isfile(file) and os.path.getsize(file) == 0
    is_empty = file.seek(0, os.SEEK_END) == 0
    file.seek(0)
    return is_empty


@contextmanager
def _opened(file: BinaryIO | str) -> Iterator[pq.ParquetFile]:
    """The file, open; Arrow's errors of reading it become DataErrors of one line."""
    what = "is not Parquet"
    try:
        # In microseconds, because nanoseconds (INT96) wrap round in the year 2262.
        with pq.ParquetFile(file, coerce_int96_timestamp_unit="us") as parquet:
            what = "is damaged"
            yield parquet
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        reason = one_line(error).split(": ", 1)[-1]
        what = "is encrypted" if "crypt" in reason else what
        raise DataError(f"{what} ({reason})") from None


def _batches(parquet: pq.ParquetFile, group: int) -> Iterator[pa.RecordBatch]:
    footer = parquet.metadata.row_group(group)
    rows_that_fit = _BYTES * footer.num_rows // max(footer.total_byte_size, 1)
    instants = _int96_columns(parquet)
    for batch in parquet.iter_batches(min(_ROWS, max(rows_that_fit, 1)), [group]):
        yield _with_zone(batch, instants)


def _int96_columns(parquet: pq.ParquetFile) -> set[str]:
    """Top-level columns of the oldest kind of timestamp; Spark and Hive write instants with it."""
    leaves = (parquet.schema.column(n) for n in range(len(parquet.schema)))
    return {leaf.path for leaf in leaves if leaf.physical_type == "INT96"}


def _with_zone(batch: pa.RecordBatch, names: set[str]) -> pa.RecordBatch:
    if not names:
        return batch
    instant = pa.timestamp("us", "UTC")
    columns = [
        column.cast(instant) if name in names else column
        for name, column in zip(batch.schema.names, batch.columns, strict=True)
    ]
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)
