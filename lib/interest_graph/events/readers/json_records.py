"""JSON objects as records: one a line, several on a line, in an array, or over several lines.

Every object is a record, wherever it stands; other text between objects is a refused record. What
stands around the elements of an array (white space, brackets, commas) is no record.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, pairwise
from typing import Any

import numpy as np
import pyarrow as pa

from interest_graph.config import SourceConfig
from interest_graph.errors import DataError
from interest_graph.events.readers.column_names import refuse_missing
from interest_graph.events.readers.json_columns import parse_objects
from interest_graph.events.readers.json_exact import parse_object
from interest_graph.events.readers.json_scan import find_objects, split_at_objects
from interest_graph.events.readers.lines import (
    BOM,
    WHITE,
    Mask,
    Offsets,
    after_bom,
    holds_other_than,
    is_blank,
    line_bounds,
)
from interest_graph.events.records import Layout, readable, schema_of

_PUNCTUATION = WHITE + b"[],"  # around the elements of an array
_MOST_CUTS = 50  # rows to one that is cut out: with more, rows are taken one by one
_GIVEN_UP = 1 << 20  # bytes without an end of an object, after which the next element is sought

# Fields come and go with the producer's version; these must be there all the same.
_REQUIRED = {"user_id", "item_id", "action", "event_time", "friend_id"}


def read_window(window: bytes, base: int, source: SourceConfig, layout: Layout) -> pa.Table:
    """The records of a window (records.schema_of), in the order of the text.

    Of a key that is there twice the last value counts; within the text of an object that is a value
    itself, both may stay. Numbers keep their text, but ids that are
    whole numbers are written as integers. An object that is broken is refused with its bytes.
    """
    start = after_bom(window, base)
    if layout.is_whole:
        whole = np.array([start]), np.array([len(window)])
        objects = find_objects(window, *whole)
        others = _between(window, whole, objects)
    else:
        objects, others = _lines(window, start), _no_bounds()
    are_lines = not layout.is_whole
    found = parse_objects(window, *objects, source.columns, are_lines=are_lines)
    is_readable = found["is_readable"].to_numpy()
    broken = _merged(tuple(edge[~is_readable] for edge in objects), others)
    read = _with_position(found, base, objects)
    if len(broken[0]) == 0:
        return read
    mended = pa.concat_tables(_read_broken(window, base, broken, source, layout))
    unreadable = np.flatnonzero(~is_readable)
    if are_lines and _MOST_CUTS * len(unreadable) < len(read):
        return _in_place_of(read, unreadable, mended.sort_by("position"))
    return _in_order(read, np.flatnonzero(is_readable), mended)


def end_of_records(window: bytes, source: SourceConfig, layout: Layout) -> int:  # noqa: ARG001
    """Where the last whole record of the window ends; 0 if it holds none."""
    if not layout.is_whole:
        return window.rfind(b"\n") + 1
    _, ends = find_objects(window, np.array([0]), np.array([len(window)]))
    end = int(ends[-1]) if len(ends) else 0
    if len(window) - end < _GIVEN_UP:
        return end
    # Nothing has ended for long: an element lacks its end, or this is no JSON.
    opened = window.find(b"{", end)
    if opened < 0:
        return max(end, window.rfind(b"\n") + 1)
    cuts = split_at_objects(window, opened, len(window))
    return cuts[-1][0] if len(cuts) > 1 else end


def inspect(head: bytes, source: SourceConfig) -> Layout | None:
    """The layout of a file by the start of its text; None if that is blank.

    is_whole: the file is an array, or has objects over several lines or no line ends. Raises
    DataError if it is no JSON, or if none of its first records has a mapped column that is not
    optional.
    """
    text = head[after_bom(head, 0) :]
    if not text.strip(WHITE):
        return None
    starts, ends = find_objects(text, np.array([0]), np.array([len(text)]))
    pieces = [text[s:e] for s, e in zip(starts.tolist(), ends.tolist(), strict=True)]
    first = text.lstrip(WHITE)[:1]
    # Without records there is an object that is longer than the head, or broken ones alone.
    has_records = _require_columns(_records(text, pieces), source)
    if not has_records and first not in (b"{", b"["):
        raise DataError("holds no JSON object in its first lines")
    over_lines = any(b"\n" in piece and _object(piece) is not None for piece in pieces)
    return Layout(is_whole=first == b"[" or over_lines or not has_records or b"\n" not in text)


def _lines(window: bytes, start: int) -> tuple[Offsets, Offsets]:
    starts, ends = line_bounds(window)
    starts[:1] = start
    filled = ~is_blank(window, starts, ends)
    return starts[filled], ends[filled]


def _no_bounds() -> tuple[Offsets, Offsets]:
    return np.zeros(0, np.int64), np.zeros(0, np.int64)


def _between(
    window: bytes, pieces: tuple[Offsets, Offsets], objects: tuple[Offsets, Offsets]
) -> tuple[Offsets, Offsets]:
    """What the pieces hold besides these objects and punctuation."""
    starts = np.sort(np.concatenate((pieces[0], objects[1])))
    ends = np.sort(np.concatenate((objects[0], pieces[1])))
    is_text = holds_other_than(_PUNCTUATION, window, starts, ends)
    return starts[is_text], ends[is_text]


def _merged(some: tuple[Offsets, ...], others: tuple[Offsets, Offsets]) -> tuple[Offsets, Offsets]:
    """Both, in the order of the text."""
    starts, ends = (np.concatenate(both) for both in zip(some, others, strict=True))
    order = np.argsort(starts, kind="stable")
    return starts[order], ends[order]


def _read_broken(
    window: bytes,
    base: int,
    broken: tuple[Offsets, Offsets],
    source: SourceConfig,
    layout: Layout,
) -> list[pa.Table]:
    """Records of lines that are not one object, or of text around objects; what is none, refused.

    Only here is anything done a piece at a time: such text is rare.
    """
    if layout.is_whole:
        cut = [piece for bounds in _pairs(broken) for piece in split_at_objects(window, *bounds)]
        whole = np.array([start for start, _ in cut]), np.array([end for _, end in cut])
        return _read_pieces(window, base, whole, source)
    # The lines alone: what follows scans all bytes that it is given.
    starts, ends = broken
    sizes = ends - starts
    places = np.cumsum(sizes + 1) - (sizes + 1)
    lines = b"\n".join(window[start:end] for start, end in _pairs(broken))
    found = _read_pieces(lines, 0, (places, places + sizes), source)
    return [_moved(records, places, base + starts - places) for records in found]


def _moved(records: pa.Table, places: Offsets, shifts: Offsets) -> pa.Table:
    """Records of pieces that were put together at these places, with their own positions."""
    position = records["position"].to_numpy()
    piece = np.searchsorted(places, position, side="right") - 1
    own = pa.array(position + shifts[piece], pa.int64())
    return records.set_column(0, records.schema.field("position"), own)


def _read_pieces(
    window: bytes, base: int, pieces: tuple[Offsets, Offsets], source: SourceConfig
) -> list[pa.Table]:
    """The objects within the pieces, and what else they hold as refused records."""
    objects = find_objects(window, *pieces)
    others = _between(window, pieces, objects)
    read = _with_position(parse_objects(window, *objects, source.columns), base, objects)
    is_readable = read["is_readable"].to_numpy()
    refused = _pairs(objects, ~is_readable)
    texts = [piece for s, e in _pairs(others) for piece in _texts(window, s, e)]
    return [
        read.filter(read["is_readable"]),
        _refused(window, base, refused + texts, source),
    ]


def _in_place_of(read: pa.Table, rows: Offsets, others: pa.Table) -> pa.Table:
    """The table with other records, by position, in place of those rows that they came from.

    Slices are put together: a third of the time that `take` needs.
    """
    places = np.searchsorted(others["position"].to_numpy(), read["position"].to_numpy()[rows])
    cuts = zip([0, *(rows + 1).tolist()], [*rows.tolist(), len(read)], strict=True)
    mended = pairwise([*places.tolist(), len(others)])
    pieces = [read.slice(start, end - start) for start, end in cuts]
    between = [others.slice(start, end - start) for start, end in mended]
    turns = chain.from_iterable(zip(between, pieces[1:], strict=True))
    return pa.concat_tables([pieces[0], *turns]).combine_chunks()


def _in_order(read: pa.Table, chosen: Offsets, others: pa.Table) -> pa.Table:
    """The chosen rows of a table and the other one's rows, by position."""
    rows = [chosen, np.arange(len(read), len(read) + len(others))]
    whole = pa.concat_tables([read, others])
    found = np.concatenate(rows)
    order = np.argsort(whole["position"].to_numpy()[found], kind="stable")
    return whole.take(pa.array(found[order]))


def _pairs(bounds: tuple[Offsets, Offsets], chosen: Mask | None = None) -> list[tuple[int, int]]:
    starts, ends = bounds if chosen is None else (bounds[0][chosen], bounds[1][chosen])
    return list(zip(starts.tolist(), ends.tolist(), strict=True))


def _texts(window: bytes, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Text that is no object: each line of it up to the first {, and then the broken object."""
    opened = window.find(b"{", start, end)
    opened = end if opened < 0 else window.rfind(b"\n", start, opened) + 1 or start
    edges = [start]
    while (line_end := window.find(b"\n", edges[-1], opened)) >= 0:
        edges.append(line_end + 1)
    edges += [opened, end]
    for low, high in pairwise(edges):
        text = window[low:high]
        kept = text.strip(WHITE + b",")
        if kept.replace(BOM, b"").strip(_PUNCTUATION):  # files are put together with their BOMs
            at = low + len(text) - len(text.lstrip(WHITE + b","))
            yield at, at + len(kept)


def _refused(
    window: bytes, base: int, pieces: list[tuple[int, int]], source: SourceConfig
) -> pa.Table:
    rows = [
        {
            "position": base + start,
            "length": end - start,
            "is_readable": False,
            "payload": readable(window[start:end]),
        }
        for start, end in pieces
    ]
    return pa.Table.from_pylist(rows, schema_of(source.columns))


def _with_position(found: pa.Table, base: int, bounds: tuple[Offsets, Offsets]) -> pa.Table:
    starts, ends = bounds
    columns = [pa.array(base + starts), pa.array(ends - starts), *found.columns]
    return pa.table(columns, names=["position", "length", *found.column_names])


def _records(text: bytes, pieces: list[bytes]) -> Iterator[dict[str, Any]]:
    """The pieces that are objects; if none is, the lines of the text that are."""
    has_objects = False
    for piece in pieces:
        if (record := _object(piece)) is not None:
            has_objects = True
            yield record
    if not has_objects:
        found = map(_object, text.split(b"\n"))
        yield from (record for record in found if record is not None)


def _object(piece: bytes) -> dict[str, Any] | None:
    try:
        return parse_object(piece.decode())
    except (UnicodeDecodeError, RecursionError):
        return None


def _require_columns(records: Iterator[dict[str, Any]], source: SourceConfig) -> bool:
    """Look at records until each column has been seen; whether there is any record."""
    missing = [
        name
        for key, name in source.columns.items()
        if key in _REQUIRED and key not in source.optional
    ]
    present: dict[str, None] = {}
    has_records = False
    for record in records:
        has_records = True
        present.update(dict.fromkeys(_leaves(record)))
        missing = [
            name
            for name in missing
            if name not in present and name.partition(".")[0] not in present
        ]
        if not missing:
            return True
    if has_records:
        refuse_missing(missing, list(present))
    return has_records


def _leaves(record: dict[str, Any], prefix: str = "") -> Iterator[str]:
    """Names of the fields and, dotted, of those within objects."""
    for key, value in record.items():
        yield f"{prefix}{key}"
        if isinstance(value, dict):
            yield from _leaves(value, f"{prefix}{key}.")
