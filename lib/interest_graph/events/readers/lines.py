"""Lines of a window of text, as NumPy offsets into its bytes; no loop over lines.

A line ends with \\n or \\r\\n and nothing else: U+2028, U+0085 and a lone \\r are part of a line.
White space is that of ASCII: blank, tab, \\v, \\f, \\r, \\n.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from interest_graph.events.records import readable

Offsets = npt.NDArray[np.int64]  # offsets in bytes within the window
Mask = npt.NDArray[np.bool_]

BOM = b"\xef\xbb\xbf"
WHITE = b" \t\n\r\v\f"


def line_bounds(window: bytes) -> tuple[Offsets, Offsets]:
    """Where each line starts and where its text ends, the line end excluded; blank lines too.

    Starts and ends are ascending, and no line overlaps another; an empty window has no line.
    """
    text = np.frombuffer(window, np.uint8)
    breaks = np.flatnonzero(text == 10)
    starts = np.concatenate(([0], breaks + 1)).astype(np.int64)
    ends = np.append(breaks, len(text)).astype(np.int64)
    if starts[-1] == len(text):  # nothing behind the last line end
        starts, ends = starts[:-1], ends[:-1]
    before = np.maximum(ends - 1, 0)
    ends -= (ends > starts) & (text[before] == 13)
    return starts, ends


def after_bom(window: bytes, base: int) -> int:
    """The offset at which the text begins: behind the byte order mark that starts a file, if any.

    base: offset of the window in the file; only at 0 is U+FEFF such a mark.
    """
    return len(BOM) if base == 0 and window.startswith(BOM) else 0


def is_blank(window: bytes, starts: Offsets, ends: Offsets) -> Mask:
    """Whether each line holds nothing but white space."""
    text = np.frombuffer(window, np.uint8)
    blank = ends <= starts
    first = text[np.minimum(starts, max(len(text) - 1, 0))] if len(text) else np.zeros(0, np.uint8)
    suspects = np.flatnonzero(~blank & _is_one_of(WHITE)[first])
    blank[suspects] = ~holds_other_than(WHITE, window, starts[suspects], ends[suspects])
    return blank


def holds_other_than(chars: bytes, window: bytes, starts: Offsets, ends: Offsets) -> Mask:
    """Whether the bytes from each start to its end hold any byte that is not one of `chars`.

    starts, ends: ascending, not overlapping.
    """
    found = np.zeros(len(starts), np.bool_)
    filled = np.flatnonzero(ends > starts)
    if len(filled) == 0:
        return found
    low, high = int(starts[filled[0]]), int(ends[filled[-1]])
    others = ~_is_one_of(chars)[np.frombuffer(window, np.uint8)[low:high]]
    edges = np.stack([starts[filled], ends[filled]], axis=1).ravel() - low
    # The last end lies behind the array: reduceat reduces the last piece to its end anyway.
    found[filled] = np.logical_or.reduceat(others, edges[:-1])[::2]
    return found


def as_binaries(window: bytes, starts: Offsets, ends: Offsets) -> pa.LargeBinaryArray:
    """The bytes from each start to its end; starts, ends: ascending, not overlapping."""
    tiles = _tiles(pa.large_binary(), window, starts, ends)
    return tiles.take(pa.array(np.arange(len(starts), dtype=np.int64) * 2))


def up_to_the_next(window: bytes, starts: Offsets) -> pa.LargeBinaryArray:
    """The bytes from each start to the next one, of the last to the window's end; not copied."""
    offsets = np.append(starts, len(window)).astype(np.int64)
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(window)]
    return pa.LargeBinaryArray.from_buffers(pa.large_binary(), len(starts), buffers)


def as_strings(window: bytes, starts: Offsets, ends: Offsets) -> pa.LargeStringArray:
    r"""The text from each start to its end; bytes that are not UTF-8 become \xNN.

    starts, ends: ascending, not overlapping. A caller that must refuse such lines finds them by
    `not_utf8`.
    """
    texts = as_binaries(window, starts, ends).view(pa.large_string())
    broken = not_utf8(texts)
    if len(broken) == 0:
        return texts
    mended = [readable(window[starts[n] : ends[n]]) for n in broken.tolist()]
    mask = np.zeros(len(texts), np.bool_)
    mask[broken] = True
    as_read = pa.array(mended, pa.large_string())
    return pc.replace_with_mask(texts, pa.array(mask), as_read)


def not_utf8(texts: pa.LargeStringArray) -> Offsets:
    """Numbers of the texts, made of any bytes, that are not UTF-8."""
    try:
        texts.validate(full=True)  # one fast check of all the bytes
        return np.zeros(0, np.int64)
    except pa.ArrowInvalid:
        lines = texts.view(pa.large_binary()).to_pylist()
        return np.flatnonzero([not _decodes(line) for line in lines]).astype(np.int64)


def _decodes(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


def _tiles(kind: Any, window: bytes, starts: Offsets, ends: Offsets) -> Any:
    """The pieces and the gaps between them in turn, without a copy of the bytes."""
    edges = np.stack([starts, ends], axis=1).ravel().astype(np.int64)
    offsets = edges if len(edges) else np.zeros(1, np.int64)
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(window)]
    return pa.LargeBinaryArray.from_buffers(kind, len(offsets) - 1, buffers)


def _is_one_of(chars: bytes) -> Mask:
    table = np.zeros(256, np.bool_)
    table[list(chars)] = True
    return table
