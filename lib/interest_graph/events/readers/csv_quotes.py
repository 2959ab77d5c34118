"""Which quotes of CSV lines open and close fields, found for all lines at once.

It takes no look at single bytes: a quote with an even number of quotes before it on the line opens,
so a field or another quote must end before it; the next one closes, and a delimiter, the line's end
or another quote must follow. Quotes after a backslash are left out where that is how they are
escaped.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from interest_graph.events.readers.lines import Mask, Offsets

Bytes = npt.NDArray[np.uint8]

_BACKSLASH = 92


def quote_offsets(text: Bytes, quote: bytes, escape: str) -> Offsets:
    """The offsets of the quotes, or of the first bytes of quotes; without those after a backslash.

    escape: "doubled" or "backslash".
    """
    at = np.flatnonzero(text == quote[0])
    slashes = np.flatnonzero(text == _BACKSLASH) if escape == "backslash" else at[:0]
    if not len(slashes):
        return at
    # In a row of backslashes, every second one is itself escaped.
    is_first = np.concatenate(([True], np.diff(slashes) > 1))
    row = np.cumsum(is_first) - 1
    number = np.arange(len(slashes)) - np.flatnonzero(is_first)[row]
    escaping = slashes[number % 2 == 0]
    return at[~np.isin(at - 1, escaping, assume_unique=True)]


class Quotes:
    """The quotes of lines. at: their offsets, ascending; count: of each line.

    starts, ends: of the lines; delimiters: offsets of all `size` bytes long delimiters.
    """

    def __init__(
        self,
        text: Bytes,
        at: Offsets,
        starts: Offsets,
        ends: Offsets,
        delimiters: Offsets,
        size: int,
    ) -> None:
        self.text, self.starts, self.ends = text, starts, ends
        self.delimiters, self.size = delimiters, size
        # One more: behind the last byte there is none.
        self.is_delimiter = np.zeros(len(text) + 1, np.bool_)
        self.is_delimiter[delimiters] = True
        self._take(at)

    def _take(self, at: Offsets) -> None:
        self.at = at
        first = np.searchsorted(at, self.starts)
        self.count = np.searchsorted(at, self.ends) - first
        self.line = np.repeat(np.arange(len(self.starts)), self.count)
        self.closes = ((np.arange(len(at)) - np.repeat(first, self.count)) & 1).astype(np.bool_)
        self.touches_next = np.append(np.diff(at) == 1, False)[: len(at)]

    def drop_text(self) -> None:
        """Leave out the quotes of lines on which none starts a field: they are text."""
        opened = np.zeros(len(self.starts), np.bool_)
        opened[self.line[self._starts_field()]] = True
        if not opened.all():
            self._take(self.at[opened[self.line]])

    def _starts_field(self) -> Mask:
        before = np.maximum(self.at - self.size, 0)
        starts: Mask = self.is_delimiter[before] & (self.at >= self.size)
        starts |= self.at == self.starts[self.line]
        return starts

    def bad_lines(self) -> tuple[Mask, Mask]:
        """Lines whose quotes do not pair; and those of them that no reading makes well formed.

        Of the former, some may be read one by one: a field may hold quotes as text. The latter have
        text after a closing quote, before anything else is amiss, or a quote that is not closed.
        """
        is_odd: Mask = (self.count & 1).astype(np.bool_)
        behind = self.at + 1
        closes_well = self.is_delimiter[behind] | (behind == self.ends[self.line])
        touches_previous = np.concatenate(([False], self.touches_next))[: len(self.at)]
        is_well = np.where(
            self.closes, closes_well | self.touches_next, self._starts_field() | touches_previous
        )
        amiss = np.flatnonzero(~is_well)
        lines, first = np.unique(self.line[amiss], return_index=True)
        bad, malformed = is_odd.copy(), is_odd.copy()
        bad[lines] = True
        malformed[lines] = self.closes[amiss[first]]
        return bad, malformed

    def outside(self, bad: Mask) -> Offsets:
        """The delimiters outside of quotes; of bad lines, all."""
        inside = np.zeros(len(self.text), np.uint8)
        inside[self.at[~bad[self.line]]] = 1
        np.cumsum(inside, dtype=np.uint8, out=inside)  # even at each line's start: no bad ones
        outside: Offsets = self.delimiters[(inside[self.delimiters] & 1) == 0]
        return outside

    def doubled(self, bad: Mask) -> Offsets:
        """Closing quotes that another quote follows at once; of lines that are not bad."""
        doubled: Offsets = self.at[self.touches_next & self.closes & ~bad[self.line]]
        return doubled
