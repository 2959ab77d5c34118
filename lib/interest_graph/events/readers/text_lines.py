r"""Lines of CSV files and logs: they end with \n, \r\n or a lone \r (old Mac), also in one file."""

from __future__ import annotations

import numpy as np

from interest_graph.events.readers.lines import BOM, Offsets

_FEED, _RETURN = 10, 13


def text_lines(window: bytes) -> tuple[Offsets, Offsets]:
    """Where the text of each line starts and ends, its line end and a byte order mark left out.

    A mark can start any line: files with one each are put together by cat.
    """
    text = np.frombuffer(window, np.uint8)
    stops, nexts = _breaks(window, text)
    starts = np.concatenate(([0], nexts)).astype(np.int64)
    ends = np.append(stops, len(text)).astype(np.int64)
    if starts[-1] == len(text):  # nothing behind the last line end
        starts, ends = starts[:-1], ends[:-1]
    return (_behind_marks(text, starts) if BOM in window else starts), ends


def end_of_lines(window: bytes) -> int:
    """Where the last line that has a line end ends; 0 without any."""
    return max(window.rfind(b"\n"), window.rfind(b"\r")) + 1


def _breaks(window: bytes, text: np.ndarray) -> tuple[Offsets, Offsets]:
    if b"\r" not in window:
        feeds = np.flatnonzero(text == _FEED)
        return feeds, feeds + 1
    breaks = np.flatnonzero((text == _FEED) | (text == _RETURN))
    is_pair = np.zeros(len(breaks), np.bool_)  # \r of \r\n
    is_pair[:-1] = (
        (text[breaks[:-1]] == _RETURN) & (text[breaks[1:]] == _FEED) & (np.diff(breaks) == 1)
    )
    is_second = np.concatenate(([False], is_pair[:-1]))
    stops, is_pair = breaks[~is_second], is_pair[~is_second]
    return stops, stops + 1 + is_pair


def _behind_marks(text: np.ndarray, starts: Offsets) -> Offsets:
    for _ in range(2):  # some tools write a second one
        mark = np.ones(len(starts), np.bool_)
        for offset, byte in enumerate(BOM):
            place = starts + offset
            mark &= (place < len(text)) & (text[np.minimum(place, len(text) - 1)] == byte)
        starts = starts + len(BOM) * mark
    return starts
