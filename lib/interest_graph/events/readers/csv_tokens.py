"""CSV lines cut into fields by NumPy: the regular ones all at once, the others are only named.

A regular line is a record by itself: it has the right number of fields, and each of its quotes
opens a field, closes one or is doubled (RFC 4180); or none of them opens a field, and all are
text. It takes no look at single bytes: a quote with an even number of quotes before it on the line
opens, so a field or another quote must end before it; the next one closes, and a delimiter, the
line's end or another quote must follow.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from interest_graph.events.readers.csv_dialect import MAX_OPEN_BYTES, Dialect
from interest_graph.events.readers.lines import Mask, Offsets, is_blank
from interest_graph.events.readers.text_lines import text_lines
from interest_graph.events.records import readable

_BACKSLASH = 92

Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Lines:
    """The lines of a window, the delimiters outside of quotes, and what the lines are.

    starts, ends, n_delimiters, is_blank, is_regular: one a line; delimiters: ascending offsets;
    doubled: offsets of closing quotes that another quote follows.
    """

    window: bytes
    starts: Offsets
    ends: Offsets
    delimiters: Offsets
    n_delimiters: Offsets
    doubled: Offsets
    is_blank: Mask
    is_regular: Mask


def cut(window: bytes, dialect: Dialect, width: int | None) -> Lines:
    """The lines of a window, or with multiline those joined whose line ends are within quotes.

    Regular ones have `width` fields, if that is given. Lines are joined as long as all records are
    regular, since a stray quote would turn the rest inside out: from there on they stay single, and
    are to be read one by one.
    """
    starts, ends = text_lines(window)
    if not (dialect.is_multiline and dialect.quote in window):
        return tokenise(window, starts, ends, dialect, width)
    quotes = np.flatnonzero(np.frombuffer(window, np.uint8) == dialect.quote[0])
    is_end = (np.searchsorted(quotes, ends) & 1) == 0
    is_end[-1] = True
    is_start = np.concatenate(([True], is_end[:-1]))
    first, last = starts[is_start], ends[is_end]
    joined = tokenise(window, first, last, dialect, width, may_be_text=False)
    has_quotes = np.searchsorted(quotes, last) > np.searchsorted(quotes, first)
    is_long = (last - first > MAX_OPEN_BYTES) & (last > ends[is_start])
    stops = np.flatnonzero((~joined.is_regular & ~joined.is_blank & has_quotes) | is_long)
    if not len(stops):
        return joined
    stop, single = stops[0], starts >= first[stops[0]]
    starts = np.concatenate([first[:stop], starts[single]])
    ends = np.concatenate([last[:stop], ends[single]])
    return tokenise(window, starts, ends, dialect, width)


def tokenise(
    window: bytes,
    starts: Offsets,
    ends: Offsets,
    dialect: Dialect,
    width: int | None,
    *,
    may_be_text: bool = True,
) -> Lines:
    """Classify lines, which hold all but line ends; regular ones have `width` fields, if given.

    may_be_text: whether the quotes of a line are text if none of them starts a field.
    """
    text = np.frombuffer(window, np.uint8)
    delimiters = _find(text, dialect.delimiter)
    bad = np.zeros(len(starts), np.bool_)
    doubled = np.zeros(0, np.int64)
    if dialect.quote and dialect.quote in window:
        quotes = _Quotes(text, starts, ends, delimiters, dialect)
        if may_be_text:
            quotes.drop_text()
        bad |= quotes.bad_lines()
        delimiters, doubled = quotes.outside(bad), quotes.doubled(bad)
    near = delimiters[1:][np.diff(delimiters) < len(dialect.delimiter)]
    bad[np.searchsorted(starts, near, "right") - 1] = True  # "::" within ":::"
    n_delimiters = np.searchsorted(delimiters, ends) - np.searchsorted(delimiters, starts)
    blank = np.zeros(len(starts), np.bool_)
    bare = np.flatnonzero((n_delimiters == 0) & ~bad)  # delimiters may be white space
    blank[bare] = is_blank(window, starts[bare], ends[bare])
    is_regular = ~bad & ~blank
    if width is not None:
        is_regular &= n_delimiters == width - 1
    return Lines(window, starts, ends, delimiters, n_delimiters, doubled, blank, is_regular)


def columns_of(lines: Lines, chosen: Mask, dialect: Dialect, width: int) -> list[pa.Array]:
    """The fields of the chosen lines, all regular, as `width` columns of text.

    A field without text is null, a quoted one "".
    """
    starts, ends = _cells(lines, chosen, dialect, width)
    text = np.frombuffer(lines.window, np.uint8)
    is_empty = starts == ends
    escaped = np.zeros(len(starts), np.bool_)
    if dialect.quote and dialect.quote in lines.window and len(text):
        quoted = (text[np.minimum(starts, len(text) - 1)] == dialect.quote[0]) & ~is_empty
        starts, ends = starts + quoted, ends - quoted
        escaped = _holds_one_of(lines.doubled, starts, ends)
    edges = np.stack([starts, ends], axis=1).ravel().astype(np.int32)
    # Fields and the gaps between them, in turn, are a text column without a copy of the bytes.
    tiles = pa.StringArray.from_buffers(
        max(len(edges) - 1, 0), pa.py_buffer(edges), pa.py_buffer(lines.window)
    )
    places = np.arange(len(starts), dtype=np.int32) * 2
    columns = []
    for n in range(width):
        column = tiles.take(pa.array(places[n::width], mask=is_empty[n::width]))
        column = _without_doubled(column, escaped[n::width], dialect.quote.decode())
        columns.append(_mended(column))
    return columns


def _find(text: Bytes, sign: bytes) -> Offsets:
    """Where the sign starts, also where occurrences overlap."""
    places = np.flatnonzero(text == sign[0])
    for offset in range(1, len(sign)):
        places = places[places + offset < len(text)]
        places = places[text[places + offset] == sign[offset]]
    return places


class _Quotes:
    """The quotes of the lines; `at`: their offsets, ascending."""

    def __init__(
        self, text: Bytes, starts: Offsets, ends: Offsets, delimiters: Offsets, dialect: Dialect
    ) -> None:
        self.text, self.starts, self.ends = text, starts, ends
        self.delimiters, self.dialect = delimiters, dialect
        self.size = len(dialect.delimiter)
        # One more: behind the last byte there is none.
        self.is_delimiter = np.zeros(len(text) + 1, np.bool_)
        self.is_delimiter[delimiters] = True
        self._take(np.flatnonzero(text == dialect.quote[0]))

    def drop_text(self) -> None:
        """Leave out the quotes of lines on which none starts a field."""
        opened = np.zeros(len(self.starts), np.bool_)
        opened[self.line[self._starts_field()]] = True
        if not opened.all():
            self._take(self.at[opened[self.line]])

    def _take(self, at: Offsets) -> None:
        self.at = at
        first = np.searchsorted(at, self.starts)
        self.count = np.searchsorted(at, self.ends) - first
        self.line = np.repeat(np.arange(len(self.starts)), self.count)
        self.closes = ((np.arange(len(at)) - np.repeat(first, self.count)) & 1).astype(np.bool_)

    def _starts_field(self) -> Mask:
        before = np.maximum(self.at - self.size, 0)
        starts: Mask = self.is_delimiter[before] & (self.at >= self.size)
        starts |= self.at == self.starts[self.line]
        return starts

    def bad_lines(self) -> Mask:
        """Lines whose quotes are not those of RFC 4180, or may be meant otherwise."""
        bad: Mask = (self.count & 1).astype(np.bool_)
        touches_next = np.append(np.diff(self.at) == 1, False)
        touches_previous = np.concatenate(([False], touches_next[:-1]))
        behind = self.at + 1
        closes_well = self.is_delimiter[behind] | (behind == self.ends[self.line]) | touches_next
        opens_well = self._starts_field() | touches_previous
        bad[self.line[~np.where(self.closes, closes_well, opens_well)]] = True
        if len(self.dialect.quote) > 1:
            bad[self.line] = True
        if self.dialect.escapes == ("backslash",):
            slashes = np.flatnonzero(self.text == _BACKSLASH)
            slashed = np.zeros(len(bad), np.bool_)
            slashed[np.searchsorted(self.starts, slashes, "right") - 1] = True
            bad |= slashed & (self.count > 0)
        return bad

    def outside(self, bad: Mask) -> Offsets:
        """The delimiters outside of quotes; of bad lines, all."""
        inside = np.zeros(len(self.text), np.uint8)
        inside[self.at[~bad[self.line]]] = 1
        np.cumsum(inside, dtype=np.uint8, out=inside)  # even at each line's start: no bad ones
        outside: Offsets = self.delimiters[(inside[self.delimiters] & 1) == 0]
        return outside

    def doubled(self, bad: Mask) -> Offsets:
        """Closing quotes that another quote follows at once; of lines that are not bad."""
        touches_next = np.append(np.diff(self.at) == 1, False)
        doubled: Offsets = self.at[touches_next & self.closes & ~bad[self.line]]
        return doubled


def _cells(lines: Lines, chosen: Mask, dialect: Dialect, width: int) -> tuple[Offsets, Offsets]:
    """Where each field of the chosen lines starts and ends, quotes included; in reading order."""
    delimiters = lines.delimiters
    if not chosen.all():
        delimiters = delimiters[np.repeat(chosen, lines.n_delimiters)]
    inner = delimiters.reshape(-1, width - 1)
    starts = np.concatenate([lines.starts[chosen][:, None], inner + len(dialect.delimiter)], axis=1)
    ends = np.concatenate([inner, lines.ends[chosen][:, None]], axis=1)
    return starts.ravel(), ends.ravel()


def _holds_one_of(places: Offsets, starts: Offsets, ends: Offsets) -> Mask:
    """Which of the ascending spans hold one of the places."""
    found = np.zeros(len(starts), np.bool_)
    if len(starts):
        span = np.searchsorted(starts, places, "right") - 1
        within = (span >= 0) & (places < ends[span])
        found[span[within]] = True
    return found


def _without_doubled(column: pa.Array, escaped: Mask, quote: str) -> pa.Array:
    if not escaped.any():
        return column
    mask = pa.array(escaped)
    single = pc.replace_substring(column.filter(mask), quote * 2, quote)
    return pc.replace_with_mask(column, mask, single)


def _mended(column: pa.Array) -> pa.Array:
    r"""The column with \xNN for bytes that are not UTF-8."""
    try:
        column.validate(full=True)  # one fast check of all the bytes
        return column
    except pa.ArrowInvalid:
        texts = column.view(pa.binary()).to_pylist()
        return pa.array([text if text is None else readable(text) for text in texts], pa.string())
