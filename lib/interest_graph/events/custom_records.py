"""Conversion of what a user's reader function yields to records of the suite. No Spark here.

A reader gets a file's path and bytes and yields its records: a dict of column -> text, or the raw
text (str) of a record that it cannot read, which clean refuses as unreadable, or many records at
once as a pyarrow Table.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa

from interest_graph.errors import DataError

Record = dict[str, str | None] | str  # columns, or the text of a record that cannot be read
Reader = Callable[[str, bytes], Iterable[Record | pa.Table]]

_ROWS_PER_BATCH = 20_000
_LOOKED_AT = 100  # number of readable records from which the columns of a file are taken


def to_records(
    file: str, found: Iterable[Record | pa.Table], columns: Mapping[str, str]
) -> Iterator[pa.Table]:
    """Tables of file, position, is_readable, payload and the mapped columns as texts.

    found: what a reader yields; columns: name in the result -> name in the record. position: from
    0; payload: columns that are not mapped, as JSON, or the text of an unreadable record.
    """
    position = 0
    for piece in _pieces(found):
        is_table = isinstance(piece, pa.Table)
        given = _of_table(piece, columns) if is_table else _of_records(piece, columns)
        n_rows = len(given["payload"])
        places = pa.array(range(position, position + n_rows), pa.int64())
        yield pa.table(
            {"file": pa.array([file] * n_rows, pa.string()), "position": places, **given}
        )
        position += n_rows


def column_names(found: Iterable[Record | pa.Table]) -> list[str]:
    """Column names of the first readable records, in order of appearance; empty without records.

    Raises DataError if there are records but none is readable.
    """
    names: dict[str, None] = {}
    n_read, record = 0, None
    for record in found:
        if isinstance(record, str):
            continue
        if isinstance(record, pa.Table):
            names |= dict.fromkeys(record.column_names)
        else:
            names |= dict.fromkeys(_columns(record))
        n_read += 1
        if n_read == _LOOKED_AT:
            break
    if record is not None and n_read == 0:
        raise DataError("none of its records can be read")
    return list(names)


def _pieces(found: Iterable[Record | pa.Table]) -> Iterator[pa.Table | list[Record]]:
    """Group single records into lists of at most _ROWS_PER_BATCH; pass tables on unchanged."""
    records: list[Record] = []
    for record in found:
        is_table = isinstance(record, pa.Table)
        if records and (is_table or len(records) == _ROWS_PER_BATCH):
            yield records
            records = []
        if is_table:
            yield record
        else:
            records.append(record)
    if records:
        yield records


def _of_records(records: Sequence[Record], columns: Mapping[str, str]) -> dict[str, pa.Array]:
    rows = [_columns(record) for record in records]
    taken = set(columns.values())
    payloads = [
        record
        if isinstance(record, str)
        else _json_of({k: record[k] for k in record if k not in taken})
        for record in records
    ]
    return {
        "is_readable": pa.array([not isinstance(record, str) for record in records], pa.bool_()),
        "payload": pa.array(payloads, pa.string()),
        **{
            name: pa.array([row.get(column) for row in rows], pa.string())
            for name, column in columns.items()
        },
    }


def _columns(record: Any) -> dict[str, str | None]:
    """The columns of a record, none of an unreadable one. Raises DataError for other types."""
    if isinstance(record, str):
        return {}
    if not isinstance(record, dict):
        kinds = "a dict, the raw text or a pyarrow Table"
        raise DataError(f"a record is of type {type(record).__name__}, not {kinds}")
    for name, value in record.items():
        if not isinstance(value, str | None):
            raise DataError(f"{name} of a record is of type {type(value).__name__}, not text")
    return record


def _of_table(table: pa.Table, columns: Mapping[str, str]) -> dict[str, pa.Array]:
    n_rows, names = table.num_rows, table.column_names
    rest = [name for name in names if name not in columns.values()]
    payloads = (
        [_json_of(row) for row in table.select(rest).to_pylist()] if rest else [None] * n_rows
    )
    absent = pa.nulls(n_rows, pa.string())
    return {
        "is_readable": pa.array([True] * n_rows, pa.bool_()),
        "payload": pa.array(payloads, pa.string()),
        **{key: _text_of(table[c]) if c in names else absent for key, c in columns.items()},
    }


def _text_of(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if not pa.types.is_nested(column.type):
        return column.cast(pa.string())
    texts = [None if value is None else _json(value) for value in column.to_pylist()]
    return pa.chunked_array([pa.array(texts, pa.string())])


def _json_of(rest: Mapping[str, Any]) -> str | None:
    """The columns that are not None as a JSON object; None if there are none."""
    filled = {name: value for name, value in rest.items() if value is not None}
    return _json(filled) if filled else None


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)
