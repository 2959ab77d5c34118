"""Finds JSON objects in text that holds more than one a line, or one over several lines.

The scan looks at quotes and braces alone. A string ends at the latest with its line, as JSON
allows no line feed in one: a quote that is missing does no harm beyond its line.
"""

from __future__ import annotations

import re
from itertools import pairwise

import numpy as np

from interest_graph.events.readers.lines import Mask, Offsets

_QUOTE, _BACKSLASH, _LINE_FEED = b'"\\\n'
_OPEN, _CLOSE = b"{}"
_OBJECT_AT_LINE_START = re.compile(rb"\n([ \t]*)\{")


def find_objects(window: bytes, starts: Offsets, ends: Offsets) -> tuple[Offsets, Offsets]:
    """The outermost balanced {...} within each piece of the window: their starts and ends.

    starts, ends: of the pieces; ascending, not overlapping. A } without its { is passed over; a {
    without its } gives no object, nor does what stands behind it in its piece.
    """
    if len(starts) == 0:
        return starts, ends
    low, high = int(starts[0]), int(ends[-1])
    braces, is_open = _braces(np.frombuffer(window, np.uint8)[low:high])
    braces += low
    piece = np.searchsorted(starts, braces, side="right") - 1
    within = braces < ends[piece]
    braces, is_open, piece = braces[within], is_open[within], piece[within]
    outer = _outermost(is_open, piece)
    opens, closes = braces[outer & is_open], braces[outer & ~is_open]
    matching = opens[np.searchsorted(opens, closes) - 1] if len(opens) else opens
    return matching, closes + 1


def split_at_objects(window: bytes, start: int, end: int) -> list[tuple[int, int]]:
    """Cut text that is no object before each line that begins with { and is not indented more.

    The line of the text's first { tells the indentation of the elements: so that reading goes on
    with the next element where one lacks its closing brace.
    """
    opened = max(window.find(b"{", start, end), start)
    line = window[window.rfind(b"\n", 0, opened) + 1 : opened + 1]
    indent = len(line) - len(line.lstrip(b" \t"))
    found = _OBJECT_AT_LINE_START.finditer(window, start, end)
    cuts = [match.start() + 1 for match in found if len(match[1]) <= indent]
    edges = [start, *cuts, end]
    return list(pairwise(edges))


def _braces(text: np.ndarray) -> tuple[Offsets, Mask]:
    """Offsets of the braces outside strings, and whether each is an opening one."""
    braces = np.flatnonzero((text == _OPEN) | (text == _CLOSE))
    quotes = _unescaped_quotes(text)
    breaks = np.flatnonzero(text == _LINE_FEED)
    before_line = np.searchsorted(quotes, np.concatenate(([0], breaks)))
    n_quotes = np.searchsorted(quotes, braces) - before_line[np.searchsorted(breaks, braces)]
    outside = braces[n_quotes % 2 == 0]
    return outside, text[outside] == _OPEN


def _unescaped_quotes(text: np.ndarray) -> Offsets:
    quotes = np.flatnonzero(text == _QUOTE)
    slashes = np.flatnonzero(text == _BACKSLASH)
    if len(slashes) == 0:
        return quotes
    is_first = np.diff(slashes, prepend=-2) > 1
    run_start = np.maximum.accumulate(np.where(is_first, slashes, 0))
    at = np.searchsorted(slashes, quotes - 1)
    follows = (at < len(slashes)) & (slashes[np.minimum(at, len(slashes) - 1)] == quotes - 1)
    n_slashes = quotes - run_start[np.minimum(at, len(slashes) - 1)]
    is_escaped = follows & (n_slashes % 2 == 1)
    unescaped: Offsets = quotes[~is_escaped]
    return unescaped


def _outermost(is_open: Mask, piece: Offsets) -> Mask:
    """Which braces open or close an object that lies in no other."""
    n = len(is_open)
    if n == 0:
        return is_open
    total = np.cumsum(np.where(is_open, 1, -1))
    first = np.flatnonzero(np.diff(piece, prepend=-1))
    before_piece = np.repeat(np.concatenate(([0], total[first[1:] - 1])), np.diff([*first, n]))
    depth = total - before_piece
    # The lowest depth so far: below 0 once there has been a } too many. Pieces are told apart by
    # steps that no depth reaches, so that one running minimum serves them all.
    step = piece * (n + 1)
    floor = np.minimum.accumulate(np.minimum(depth, 0) - step) + step
    is_first = np.zeros(n, np.bool_)
    is_first[first] = True
    floor_before = np.where(is_first, 0, np.roll(floor, 1))
    result: Mask = np.where(is_open, depth - 1, depth) == floor_before
    return result
