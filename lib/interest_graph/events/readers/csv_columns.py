"""Fields of regular CSV lines to Arrow columns of text, without a loop over lines."""

from __future__ import annotations

import re

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from interest_graph.events.readers.csv_dialect import Dialect
from interest_graph.events.readers.csv_tokens import Lines
from interest_graph.events.readers.lines import Mask, Offsets
from interest_graph.events.records import readable

_BACKSLASH = 92


def columns_of(lines: Lines, chosen: Mask, dialect: Dialect, width: int) -> list[pa.Array]:
    """The fields of the chosen lines, all regular, as `width` columns of text.

    A field without text is null, a quoted one "".
    """
    starts, ends = _cells(lines, chosen, dialect, width)
    text = np.frombuffer(lines.window, np.uint8)
    is_empty = starts == ends
    doubled = slashed = np.zeros(len(starts), np.bool_)
    if dialect.quote and dialect.quote in lines.window and len(text):
        quoted = (text[np.minimum(starts, len(text) - 1)] == dialect.quote[0]) & ~is_empty
        starts, ends = starts + quoted, ends - quoted
        doubled = _holds_one_of(lines.doubled, starts, ends)
        if lines.escape == "backslash":
            slashes = np.flatnonzero(text == _BACKSLASH)
            slashed = quoted & _holds_one_of(slashes, starts, ends)
    edges = np.stack([starts, ends], axis=1).ravel().astype(np.int32)
    # Fields and the gaps between them, in turn, are a text column without a copy of the bytes.
    tiles = pa.StringArray.from_buffers(
        max(len(edges) - 1, 0), pa.py_buffer(edges), pa.py_buffer(lines.window)
    )
    places = np.arange(len(starts), dtype=np.int32) * 2
    quote, columns = dialect.quote.decode(), []
    for n in range(width):
        column = tiles.take(pa.array(places[n::width], mask=is_empty[n::width]))
        column = _replaced(column, doubled[n::width], re.escape(quote * 2), quote)
        column = _replaced(column, slashed[n::width], rf"\\({re.escape(quote)}|\\)", r"\1")
        columns.append(_mended(column))
    return columns


def _cells(lines: Lines, chosen: Mask, dialect: Dialect, width: int) -> tuple[Offsets, Offsets]:
    """Where each field of the chosen lines starts and ends, quotes included; in reading order."""
    delimiters = lines.delimiters
    if not chosen.all():
        delimiters = delimiters[np.repeat(chosen, lines.n_delimiters)]
    inner = delimiters.reshape(int(chosen.sum()), width - 1)
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


def _replaced(column: pa.Array, chosen: Mask, pattern: str, text: str) -> pa.Array:
    """The column with the pattern replaced in the chosen fields."""
    if not chosen.any():
        return column
    mask = pa.array(chosen)
    new = pc.replace_substring_regex(column.filter(mask), pattern, text)
    return pc.replace_with_mask(column, mask, new)


def _mended(column: pa.Array) -> pa.Array:
    r"""The column with \xNN for bytes that are not UTF-8."""
    try:
        column.validate(full=True)  # one fast check of all the bytes
        return column
    except pa.ArrowInvalid:
        texts = column.view(pa.binary()).to_pylist()
        return pa.array([text if text is None else readable(text) for text in texts], pa.string())
