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
from interest_graph.events.readers.column_names import distinct, refuse_doubles, require_mapped
from interest_graph.events.readers.csv_columns import columns_of
from interest_graph.events.readers.csv_dialect import Dialect, Reading, dialect_of
from interest_graph.events.readers.csv_tokens import Lines, cut, tokenise
from interest_graph.events.readers.lines import Mask, Offsets
from interest_graph.events.readers.payloads import as_json_objects
from interest_graph.events.readers.text_lines import end_of_lines
from interest_graph.events.records import Layout, readable, schema_of

MANY = 1000  # lines: for fewer, looking at the whole window once more takes longer than one by one


def read_window(window: bytes, base: int, source: SourceConfig, layout: Layout) -> pa.Table:
    """The records of a window of whole records, in reading order.

    base: the window's offset in the file; the one at 0 starts with the header, if there is one.
    """
    dialect, width = dialect_of(source), len(layout.columns)
    lines = cut(window, dialect, width)
    todo = ~lines.is_blank
    if source.header and base == 0:
        todo[: _line_behind_header(lines, dialect)] = False
    again, reread = _by_other_escape(lines, todo, dialect, width)
    odd = list(_odd_records(lines, todo & ~reread, dialect, width))
    regular = todo & lines.is_regular
    for record in odd:
        regular[record.line : record.next_line] = False
    records = _together(
        [
            _Records(_spans_of(lines, regular), columns_of(lines, regular, dialect, width)),
            _Records(_spans_of(again, reread), columns_of(again, reread, dialect, width)),
            _read_records([record for record in odd if record.reading.fields], width),
        ]
    )
    refused = _read_records([record for record in odd if not record.reading.fields], 0).spans
    if source.header:
        records, headers = _without_headers(records, layout.columns)
        refused = np.concatenate([refused, headers])
    table = _readable_records(records, base, source, layout)
    if len(refused):
        table = pa.concat_tables([table, _refused_records(refused, base, window, source)])
    if len(odd) or len(refused) or reread.any():
        table = table.take(pc.sort_indices(table["position"]))
    return table.combine_chunks()


def end_of_records(window: bytes, source: SourceConfig, layout: Layout) -> int:
    """Where the last whole record of the window ends, its line end included; 0 without any."""
    dialect = dialect_of(source)
    if not dialect.is_multiline:
        return end_of_lines(window)
    lines = cut(window, dialect, len(layout.columns))
    if not len(lines.starts):
        return 0
    last = len(lines.starts) - 1
    for record in _odd_records(lines, ~lines.is_blank, dialect, len(layout.columns)):
        if record.reading.is_open:
            return _start_of(lines, record.line)
        if record.next_line > last:
            last = record.line
    return len(window) if window.endswith((b"\n", b"\r")) else _start_of(lines, last)


def _start_of(lines: Lines, line: int) -> int:
    # A byte order mark stays with the first line: by it alone no header would be found.
    return int(lines.starts[line]) if line else 0


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
        refuse_doubles(source, columns)
    else:
        columns = _names([None] * _usual_width(lines, dialect))
    hint = "; is the delimiter right?" if len(columns) == 1 else ""
    require_mapped(source, columns, hint)
    return Layout(columns=columns, is_whole=dialect.is_multiline)


class _Odd(NamedTuple):
    """A record that is not a regular line: from `line` on, up to `next_line`."""

    line: int
    next_line: int
    start: int
    reading: Reading


class _Records(NamedTuple):
    """Start and end of records, as two columns, and their fields, a column each."""

    spans: Offsets
    columns: list[pa.Array]


def _by_other_escape(lines: Lines, todo: Mask, dialect: Dialect, width: int) -> tuple[Lines, Mask]:
    """The lines by the second way to escape quotes, and which are regular only so."""
    is_other = lines.is_other & todo
    if len(dialect.escapes) == 1 or dialect.is_multiline or is_other.sum() < MANY:
        return lines, np.zeros_like(todo)
    again = tokenise(lines.window, lines.starts, lines.ends, dialect, width, dialect.escapes[1])
    return again, is_other & again.is_regular


def _odd_records(lines: Lines, todo: Mask, dialect: Dialect, width: int | None) -> Iterator[_Odd]:
    """The records that start at lines to do that are not regular."""
    next_line = 0
    for line in np.flatnonzero(todo & ~lines.is_regular).tolist():
        if line < next_line:  # within the record before
            continue
        reading = _read(lines, line, dialect, width)
        next_line = _next_line(lines, line, reading)
        yield _Odd(line, next_line, int(lines.starts[line]), reading)


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
    for record in _odd_records(lines, ~lines.is_blank, dialect, None):
        widths[len(record.reading.fields or ())] += 1
    del widths[0]
    return widths.most_common(1)[0][0] if widths else 1


def _names(fields: Sequence[str | None]) -> tuple[str, ...]:
    return tuple(name or f"_c{n}" for n, name in enumerate(fields))


def _spans_of(lines: Lines, chosen: Mask) -> Offsets:
    return np.stack([lines.starts[chosen], lines.ends[chosen]], axis=1)


def _read_records(odd: Sequence[_Odd], width: int) -> _Records:
    spans = [(record.start, record.reading.end) for record in odd]
    rows = [record.reading.fields or [] for record in odd]
    columns = [pa.array([row[n] for row in rows], pa.string()) for n in range(width)]
    return _Records(np.array(spans, np.int64).reshape(-1, 2), columns)


def _together(parts: Sequence[_Records]) -> _Records:
    filled = [part for part in parts if len(part.spans)] or parts[:1]
    columns = zip(*(part.columns for part in filled), strict=True)
    return _Records(
        np.concatenate([part.spans for part in filled]),
        [pa.concat_arrays(column) for column in columns],
    )


def _without_headers(records: _Records, names: Sequence[str]) -> tuple[_Records, Offsets]:
    """The records but for those that repeat the header (files put together by cat); their spans."""
    same = np.ones(len(records.spans), np.bool_)
    for column, (number, name) in zip(records.columns, enumerate(names), strict=True):
        equal = pc.fill_null(pc.equal(column, name), name == f"_c{number}")
        same &= equal.to_numpy(zero_copy_only=False)
        if not same.any():
            return records, records.spans[:0]
    others = [column.filter(pa.array(~same)) for column in records.columns]
    return _Records(records.spans[~same], others), records.spans[same]


def _readable_records(
    records: _Records, base: int, source: SourceConfig, layout: Layout
) -> pa.Table:
    spans = records.spans
    by_name = dict(zip(distinct(layout.columns), records.columns, strict=True))
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
