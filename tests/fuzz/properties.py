"""What must hold for the bytes of any file, however damaged: checked from outside the readers.

Every check raises AssertionError with one line. Records that are read are followed to the end:
typed, refused or accepted, cleaned; or shaped, for attributes.
"""

from __future__ import annotations

import io
import random
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib import import_module
from typing import Any
from unittest.mock import patch

import pyarrow as pa
from tests.fuzz.accounts import require_accounted, require_sound
from tests.fuzz.formats import Fuzzed

from interest_graph.config import SourceConfig
from interest_graph.errors import ConfigError, DataError
from interest_graph.events.readers import Split, inspect_file, is_splittable, read_split
from interest_graph.events.readers.csv_dialect import dialect_of
from interest_graph.events.readers.json_exact import mapped_and_rest, parse_object
from interest_graph.events.readers.source_bytes import windows
from interest_graph.events.records import Layout, readable, schema_of

CLEANED = 0.1  # of the inputs
BOM, BLANK = b"\xef\xbb\xbf", b" \t\v\f\r\n"
# Besides records there may be these bytes only.
BETWEEN = {"json": BLANK + b"[],", "csv": BLANK, "log": BLANK}
READERS = "interest_graph.events.readers"
Record = dict[str, Any]


def check(fuzzed: Fuzzed, content: bytes, rng: random.Random) -> str:
    """Read the file in every way and compare: "read", "blank" or "refused" is what became of it.

    rng: says into which pieces the file is cut, and whether its events are cleaned as well, which
    takes longer than all the rest.
    """
    cleans = rng.random() < CLEANED
    with _giving_up(fuzzed.give_up):
        try:
            layout = inspect_file(fuzzed.path, fuzzed.source, _opener(content))
            records = None if layout is None else _read(fuzzed, content, layout)
        except (DataError, ConfigError) as error:
            _require_plain(error, fuzzed)
            return "refused"
        if layout is None or records is None:
            assert not _text(fuzzed, content).replace(BOM, b"").strip(BLANK), "not blank"
            return "blank"
        if fuzzed.source.format in BETWEEN:
            text = _text(fuzzed, content)
            whole = _by_windows(fuzzed, text, layout, len(text) + 1)
            _require_conserved(fuzzed.source, text, whole)
            _require_values(fuzzed.source, text, layout, whole)
            _require_same_in_windows(fuzzed, content, text, layout, whole, rng)
            _require_same_by_ranges(fuzzed, content, layout, records, rng)
        require_sound(records, fuzzed.source)
        require_accounted(records, fuzzed.source, cleans=cleans)
    return "read"


@contextmanager
def _giving_up(size: int | None) -> Iterator[None]:
    """Make the readers give up what stays open after so many bytes."""
    places = ("csv_dialect.MAX_OPEN_BYTES", "csv_tokens.MAX_OPEN_BYTES", "json_records._GIVEN_UP")
    with ExitStack() as stack:
        for place in places if size is not None else ():
            stack.enter_context(patch(f"{READERS}.{place}", size))
        yield


class _Slow(io.BytesIO):
    """A file that gives a few bytes at a time."""

    def __init__(self, content: bytes, at_once: int) -> None:
        super().__init__(content)
        self._at_once = at_once

    def read(self, size: int | None = -1) -> bytes:
        return super().read(self._at_once if size is None or size < 0 else min(size, self._at_once))


def _opener(content: bytes, at_once: int | None = None) -> Any:
    return lambda _: io.BytesIO(content) if at_once is None else _Slow(content, at_once)


def _split(fuzzed: Fuzzed, *limits: int) -> Split:
    return Split(fuzzed.source.name, fuzzed.path, *limits)


def _read(fuzzed: Fuzzed, content: bytes, layout: Layout) -> pa.Table:
    tables = read_split(_split(fuzzed), fuzzed.source, layout, _opener(content))
    return pa.concat_tables([_empty(fuzzed.source), *tables])


def _empty(source: SourceConfig) -> pa.Table:
    return schema_of(source.columns).empty_table()


def _text(fuzzed: Fuzzed, content: bytes) -> bytes:
    """The file's text, decompressed and in UTF-8, in one piece."""
    found = windows(_split(fuzzed), fuzzed.source, Layout(), _opener(content), lambda w, *_: len(w))
    return b"".join(window for _, window in found)


def _require_plain(error: Exception, fuzzed: Fuzzed) -> None:
    """The message is one line, tells the file or the setting, and is no stack trace."""
    text = str(error)
    assert len(text.splitlines()) == 1, f"message of several lines: {text!r}"
    assert text.isprintable() or isinstance(error, ConfigError), f"unprintable: {text!r}"
    assert "Traceback" not in text, f"stack trace: {text!r}"
    named = f"source s: {fuzzed.path} " if isinstance(error, DataError) else "sources.s."
    assert text.startswith(named), f"message without its file: {text!r}"
    assert len(text) < 100_000


def _require_conserved(source: SourceConfig, text: bytes, records: list[Record]) -> None:
    """Every byte is in exactly one record, or blank, a mark, punctuation of a list, or header."""
    at = 0
    for number, record in enumerate(records):
        start, end = record["position"], record["position"] + record["length"]
        assert record["length"] > 0, f"record {number} is empty"
        assert text[end - 1 : end] != b"\n", f"record {number} has its line end"
        assert start >= at, f"record {number} starts within the one before"
        _require_between(source, text[at:start], is_first=at == 0)
        if not record["is_readable"]:
            assert record["payload"] == readable(text[start:end]), f"raw text of record {number}"
        at = end
    _require_between(source, text[at:], is_first=at == 0)


def _require_values(
    source: SourceConfig, text: bytes, layout: Layout, records: list[Record]
) -> None:
    """What a record holds is what the slower readers of single records find at its place."""
    for record in records:
        if not record["is_readable"] or source.format == "log":
            continue
        start, end = record["position"], record["position"] + record["length"]
        if source.format == "json":
            parsed = parse_object(text[start:end].decode())
            assert parsed is not None, f"no object: {text[start:end]!r}"
            expected, _ = mapped_and_rest(parsed, source.columns)
        else:
            first_line = _line_end(text, start)
            reading = dialect_of(source).read(text, start, first_line, len(layout.columns))
            assert (reading.end, reading.fields is None) == (end, False), f"no record: {reading}"
            fields = dict(zip(layout.columns, reading.fields or (), strict=True))
            expected = {column: fields.get(name) for column, name in source.columns.items()}
        found = {column: record[column] for column in source.columns}
        assert found == expected, f"values {found} instead of {expected}"


def _require_between(source: SourceConfig, gap: bytes, *, is_first: bool) -> None:
    rest = gap
    if is_first:
        rest = gap[_first_record(source, gap) :]
    lost = rest.replace(BOM, b"").strip(BETWEEN[source.format])
    assert not lost, f"in no record: {lost[:60]!r}"


def _first_record(source: SourceConfig, text: bytes) -> int:
    """Where records may start: behind the header, if there is one."""
    return _header_end(source, text) if source.header and source.format == "csv" else 0


def _header_end(source: SourceConfig, text: bytes) -> int:
    """Where the first line ends that is not blank, or the record that starts there."""
    start = 0
    while start < len(text):
        if text.startswith(BOM, start):
            start += len(BOM)
            continue
        line = text[start : _line_end(text, start)]
        if line.strip(BLANK) or source.delimiter.encode() in line:
            break
        start += len(line) + 1
    return dialect_of(source).read(text, start, _line_end(text, start)).end


def _line_end(text: bytes, start: int) -> int:
    stops = [place for sign in (b"\n", b"\r") if (place := text.find(sign, start)) >= 0]
    return min(stops, default=len(text))


def _by_windows(
    fuzzed: Fuzzed, text: bytes, layout: Layout, size: int, at_once: int | None = None
) -> list[Record]:
    """Records of the text in windows of about this size; lists of items are one record."""
    source = fuzzed.source.model_copy(update={"encoding": "UTF-8", "explode": None})
    reader = import_module(f"{READERS}.{source.format}_records")
    opener = _opener(text, at_once)
    found = windows(Split("s", "/text"), source, layout, opener, reader.end_of_records, size)
    return [
        record
        for base, window in found
        for record in reader.read_window(window, base, source, layout).to_pylist()
    ]


def _require_same_in_windows(
    fuzzed: Fuzzed,
    content: bytes,
    text: bytes,
    layout: Layout,
    expected: list[Record],
    rng: random.Random,
) -> None:
    # The first window has the whole header, as one of 32 MB has.
    size = max(len(text) // rng.choice((2, 3, 5, 12)), _first_record(fuzzed.source, text)) + 1
    at_once = len(text) // rng.choice((3, 11, 50)) + 1
    found = _by_windows(fuzzed, text, layout, size, at_once)
    _require_equal(found, expected, f"windows of {size}")
    split, slow = _split(fuzzed), _opener(content, at_once)
    pieces = windows(split, fuzzed.source, layout, slow, lambda window, *_: len(window), 1)
    assert b"".join(piece for _, piece in pieces) == text, f"text in pieces of {at_once}"


def _require_same_by_ranges(
    fuzzed: Fuzzed, content: bytes, layout: Layout, records: pa.Table, rng: random.Random
) -> None:
    if is_splittable(fuzzed.path, fuzzed.source) and not layout.is_whole:
        found = _by_ranges(fuzzed, content, layout, rng)
        _require_equal(found, records.to_pylist(), "ranges")


def _by_ranges(fuzzed: Fuzzed, content: bytes, layout: Layout, rng: random.Random) -> list[Record]:
    first = _first_record(fuzzed.source, content)
    step = max(len(content) // rng.choice((2, 3, 5, 12)), 1)
    starts = [0, *range(first + step, len(content), step)]
    ends = [*starts[1:], len(content)]
    return [
        record
        for start, end in zip(starts, ends, strict=True)
        for table in read_split(
            _split(fuzzed, start, end - start), fuzzed.source, layout, _opener(content)
        )
        for record in table.to_pylist()
    ]


def _require_equal(found: list[Record], expected: list[Record], how: str) -> None:
    if found == expected:
        return
    pairs = zip(found, expected, strict=False)
    place = next((n for n, (one, other) in enumerate(pairs) if one != other), -1)
    raise AssertionError(
        f"by {how}: {len(found)} records of {len(expected)}, other from {place} on: "
        f"{found[place : place + 1]} instead of {expected[place : place + 1]}"
    )
