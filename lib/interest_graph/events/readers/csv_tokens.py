"""CSV lines cut into fields by NumPy: the regular ones all at once, the others are only named.

A regular line is a record by itself: it has the right number of fields, and each of its quotes
opens a field, closes one or is escaped; or none of them opens a field, and all are text.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from interest_graph.events.readers.csv_dialect import MAX_OPEN_BYTES, Dialect
from interest_graph.events.readers.csv_quotes import Bytes, Quotes, quote_offsets
from interest_graph.events.readers.lines import Mask, Offsets, is_blank
from interest_graph.events.readers.text_lines import text_lines


@dataclass(frozen=True)
class Lines:
    """The lines of a window, the delimiters outside of quotes, and what the lines are.

    escape: how quotes were taken to be escaped. starts, ends, n_delimiters and the masks: one a
    line; delimiters: ascending offsets; doubled: offsets of closing quotes that another quote
    follows. is_other: if not regular so, the line may be by another escape.
    """

    window: bytes
    escape: str
    starts: Offsets
    ends: Offsets
    delimiters: Offsets
    n_delimiters: Offsets
    doubled: Offsets
    is_blank: Mask
    is_regular: Mask
    is_other: Mask


def cut(window: bytes, dialect: Dialect, width: int | None) -> Lines:
    """The lines of a window, or with multiline those joined whose line ends are within quotes.

    Regular ones have `width` fields, if that is given. Lines are joined as long as all records are
    regular, since a stray quote would turn the rest inside out: from there on they stay single, and
    are to be read one by one.
    """
    starts, ends = text_lines(window)
    escape = dialect.escapes[0]
    if not (dialect.is_multiline and dialect.quote in window):
        return tokenise(window, starts, ends, dialect, width, escape)
    quotes = quote_offsets(np.frombuffer(window, np.uint8), dialect.quote, escape)
    is_end = (np.searchsorted(quotes, ends) & 1) == 0
    is_end[-1] = True
    is_start = np.concatenate(([True], is_end[:-1]))
    first, last = starts[is_start], ends[is_end]
    joined = tokenise(window, first, last, dialect, width, escape, may_be_text=False)
    has_quotes = np.searchsorted(quotes, last) > np.searchsorted(quotes, first)
    is_long = (last - first > MAX_OPEN_BYTES) & (last > ends[is_start])
    stops = np.flatnonzero((~joined.is_regular & ~joined.is_blank & has_quotes) | is_long)
    if not len(stops):
        return joined
    stop, single = stops[0], starts >= first[stops[0]]
    starts = np.concatenate([first[:stop], starts[single]])
    ends = np.concatenate([last[:stop], ends[single]])
    return tokenise(window, starts, ends, dialect, width, escape)


def tokenise(
    window: bytes,
    starts: Offsets,
    ends: Offsets,
    dialect: Dialect,
    width: int | None,
    escape: str,
    *,
    may_be_text: bool = True,
) -> Lines:
    """Classify lines, which hold all but line ends; regular ones have `width` fields, if given.

    may_be_text: whether the quotes of a line are text if none of them starts a field.
    """
    text = np.frombuffer(window, np.uint8)
    delimiters = _find(text, dialect.delimiter)
    bad, malformed, has_quotes, blank = np.zeros((4, len(starts)), np.bool_)
    doubled = np.zeros(0, np.int64)
    if dialect.quote and dialect.quote in window:
        at = quote_offsets(text, dialect.quote, escape)
        quotes = Quotes(text, at, starts, ends, delimiters, len(dialect.delimiter))
        if may_be_text:
            quotes.drop_text()
        has_quotes = quotes.count > 0
        bad, malformed = quotes.bad_lines()
        if len(dialect.quote) > 1:  # only its first byte was sought
            bad, malformed = has_quotes, blank
        delimiters, doubled = quotes.outside(bad), quotes.doubled(bad)
    near = delimiters[1:][np.diff(delimiters) < len(dialect.delimiter)]
    overlaps = np.zeros(len(starts), np.bool_)
    overlaps[np.searchsorted(starts, near, "right") - 1] = True  # "::" within ":::"
    bad = bad | overlaps
    n_delimiters = np.searchsorted(delimiters, ends) - np.searchsorted(delimiters, starts)
    blank = np.zeros(len(starts), np.bool_)
    bare = np.flatnonzero((n_delimiters == 0) & ~bad)  # delimiters may be white space
    blank[bare] = is_blank(window, starts[bare], ends[bare])
    has_width = n_delimiters == width - 1 if width is not None else np.ones_like(bad)
    is_regular = ~bad & ~blank & has_width
    is_other = (malformed | (~bad & has_quotes & ~has_width)) & ~overlaps
    return Lines(
        window, escape, starts, ends, delimiters, n_delimiters, doubled, blank, is_regular, is_other
    )


def _find(text: Bytes, sign: bytes) -> Offsets:
    """Where the sign starts, also where occurrences overlap."""
    places = np.flatnonzero(text == sign[0])
    for offset in range(1, len(sign)):
        places = places[places + offset < len(text)]
        places = places[text[places + offset] == sign[offset]]
    return places
