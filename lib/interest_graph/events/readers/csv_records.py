"""CSV text to records: regular lines by columns, in NumPy and Arrow; others one by one.

A record of another width than the file, with quotes that do not pair, or that repeats the header is
refused with its raw text. Blank lines are no records: white space alone, without a delimiter.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from interest_graph.config.sources import SourceConfig
from interest_graph.errors import DataError
from interest_graph.events.readers.csv_dialect import Dialect, Reading, dialect_of
from interest_graph.events.readers.csv_tokens import Lines, columns_of, cut
from interest_graph.events.readers.lines import Mask, Offsets
from interest_graph.events.readers.payloads import as_json_objects
from interest_graph.events.readers.text_lines import end_of_lines
from interest_graph.events.records import Layout, readable, schema_of


def read_window(window: bytes, base: int, source: SourceConfig, layout: Layout) -> pa.Table:
    """The records of a window of whole records, in reading order.

    base: the window's offset in the file; the one at 0 starts with the header, if there is one.
    """
    dialect, width = dialect_of(source), len(layout.columns)
    lines = cut(window, dialect, width)
    first = _line_behind_header(lines, dialect) if source.header and base == 0 else 0
    odd = list(_odd_records(lines, dialect, width, first))
    regular = lines.is_regular.copy()
    regular[:first] = False
    for record in odd:
        regular[record.line : record.next_line] = False
    taken = [record for record in odd if record.reading.fields is not None]
    columns = columns_of(lines, regular, dialect, width)
    if taken:
        fields = zip(*(record.reading.fields or () for record in taken), strict=True)
        more = [pa.array(column, pa.string()) for column in fields]
        columns = [pa.concat_arrays(pair) for pair in zip(columns, more, strict=True)]
    spans = np.concatenate(
        [np.stack([lines.starts[regular], lines.ends[regular]], axis=1), _spans_of(taken)]
    )
    refused = _spans_of([record for record in odd if record.reading.fields is None])
    if source.header:
        repeats = _repeats_header(columns, layout.columns)
        if repeats.any():
            refused = np.concatenate([refused, spans[repeats]])
            spans, kept = spans[~repeats], pa.array(~repeats)
            columns = [column.filter(kept) for column in columns]
    records = _readable_records(spans, base, columns, source, layout)
    if not len(taken) and not len(refused):
        return records
    table = pa.concat_tables([records, _refused_records(refused, base, window, source)])
    return table.take(pc.sort_indices(table["position"])).combine_chunks()


def end_of_records(window: bytes, source: SourceConfig, layout: Layout) -> int:
    """Where the last whole record of the window ends, its line end included; 0 without any."""
    dialect = dialect_of(source)
    if not dialect.is_multiline:
        return end_of_lines(window)
    lines = cut(window, dialect, len(layout.columns))
    if not len(lines.starts):
        return 0
    last = len(lines.starts) - 1
    for record in _odd_records(lines, dialect, len(layout.columns), 0):
        if record.reading.is_open:
            return int(lines.starts[record.line])
        if record.next_line > last:
            last = record.line
    return len(window) if window.endswith((b"\n", b"\r")) else int(lines.starts[last])


def inspect(head: bytes, source: SourceConfig) -> Layout | None:
    """The columns that the start of a file names, or counts where it has no header.

    None: nothing but blanks. Raises DataError where a mapped column is missing or named twice.
    """
    dialect = dialect_of(source)
    lines = cut(head, dialect, None)
    filled = np.flatnonzero(~lines.is_blank)
    if not len(filled):
        return None
    if source.header:
        reading = _read(lines, int(filled[0]), dialect, None)
        if reading.fields is None:
            raise DataError("has a header whose quotes do not pair")
        columns = _names(reading.fields)
        _refuse_doubles(source, columns)
    else:
        columns = _names([None] * _usual_width(lines, dialect))
    _require_mapped(source, columns)
    return Layout(columns=columns, is_whole=dialect.is_multiline)


class _Odd(NamedTuple):
    """A record that is not a regular line: from `line` on, up to `next_line`."""

    line: int
    next_line: int
    start: int
    reading: Reading


def _odd_records(lines: Lines, dialect: Dialect, width: int | None, first: int) -> Iterator[_Odd]:
    odd = np.flatnonzero(~lines.is_regular & ~lines.is_blank)
    for line in odd[odd >= first].tolist():
        if line < first:  # within the record before
            continue
        reading = _read(lines, line, dialect, width)
        first = _next_line(lines, line, reading)
        yield _Odd(line, first, int(lines.starts[line]), reading)


def _read(lines: Lines, line: int, dialect: Dialect, width: int | None) -> Reading:
    return dialect.read(lines.window, int(lines.starts[line]), int(lines.ends[line]), width)


def _next_line(lines: Lines, line: int, reading: Reading) -> int:
    if reading.end <= lines.ends[line]:
        return line + 1
    return int(np.searchsorted(lines.starts, reading.end, "right"))


def _line_behind_header(lines: Lines, dialect: Dialect) -> int:
    filled = np.flatnonzero(~lines.is_blank)
    if not len(filled):
        return 0
    header = int(filled[0])
    return _next_line(lines, header, _read(lines, header, dialect, None))


def _usual_width(lines: Lines, dialect: Dialect) -> int:
    """The most frequent number of fields: the first line may be a ragged one."""
    widths = Counter((lines.n_delimiters[lines.is_regular] + 1).tolist())
    for record in _odd_records(lines, dialect, None, 0):
        widths[len(record.reading.fields or ())] += 1
    del widths[0]
    return widths.most_common(1)[0][0] if widths else 1


def _names(fields: Sequence[str | None]) -> tuple[str, ...]:
    return tuple(name or f"_c{n}" for n, name in enumerate(fields))


def _repeats_header(columns: Sequence[pa.Array], names: Sequence[str]) -> Mask:
    """Rows whose fields are the names of the columns: files put together by cat."""
    same = np.ones(len(columns[0]), np.bool_)
    for column, (number, name) in zip(columns, enumerate(names), strict=True):
        equal = pc.fill_null(pc.equal(column, name), name == f"_c{number}")
        same &= equal.to_numpy(zero_copy_only=False)
        if not same.any():
            break
    return same


def _spans_of(records: Sequence[_Odd]) -> Offsets:
    """Start and end of each record, as two columns."""
    spans = [(record.start, record.reading.end) for record in records]
    return np.array(spans, np.int64).reshape(-1, 2)


def _readable_records(
    spans: Offsets, base: int, columns: Sequence[pa.Array], source: SourceConfig, layout: Layout
) -> pa.Table:
    names = _distinct(layout.columns)
    by_name = dict(zip(names, columns, strict=True))
    mapped = source.columns.values()
    rest = {name: column for name, column in by_name.items() if name not in mapped}
    absent = pa.nulls(len(spans), pa.string())
    values = [
        pa.array(spans[:, 0] + base),
        pa.array(spans[:, 1] - spans[:, 0]),
        pa.array(np.ones(len(spans), np.bool_)),
        as_json_objects(rest, len(spans)),
        *[by_name.get(column, absent) for column in mapped],
    ]
    return pa.Table.from_arrays(values, schema=schema_of(source.columns))


def _refused_records(spans: Offsets, base: int, window: bytes, source: SourceConfig) -> pa.Table:
    raw = [readable(window[start:end]) for start, end in spans.tolist()]
    values = [
        pa.array(spans[:, 0] + base),
        pa.array(spans[:, 1] - spans[:, 0]),
        pa.array(np.zeros(len(spans), np.bool_)),
        pa.array(raw, pa.string()),
        *[pa.nulls(len(spans), pa.string()) for _ in source.columns],
    ]
    return pa.Table.from_arrays(values, schema=schema_of(source.columns))


def _distinct(names: Sequence[str]) -> list[str]:
    """The names, of doubles the later ones with a number: name, name_2, name_3."""
    taken, distinct = set(names), list[str]()
    for name in names:
        number, new = 2, name
        while new in distinct or (new != name and new in taken):
            new, number = f"{name}_{number}", number + 1
        distinct.append(new)
    return distinct


def _refuse_doubles(source: SourceConfig, columns: Sequence[str]) -> None:
    doubles = [name for name in source.columns.values() if columns.count(name) > 1]
    if doubles:
        raise DataError(f"names the mapped column {doubles[0]} more than once in its header")


def _require_mapped(source: SourceConfig, columns: Sequence[str]) -> None:
    missing = [
        name
        for key, name in source.columns.items()
        if key not in source.optional and name not in columns
    ]
    if missing:
        hint = "; is the delimiter right?" if len(columns) == 1 else ""
        present = ", ".join(columns[:30])
        raise DataError(f"has no column {', '.join(missing)}; present: {present}{hint}")
