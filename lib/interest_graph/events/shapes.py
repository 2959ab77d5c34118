r"""Groups texts by their shape: the text with every digit replaced by 0.

A regular expression that knows digits only as `\d` matches all texts of a shape alike, with its
groups at the same places. So it is tried once a shape, and the numbers of all texts of the shape
are read column by column. Logs have few shapes: `0000-00-00T00:00:00Z` is most often the only one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Rows = npt.NDArray[np.int64]
Span = tuple[int, int]

_ZERO = ord("0")


@dataclass(frozen=True)
class ShapeGroup:
    """Texts of one shape.

    rows: int64[n], where they stand; columns: uint8[width, n], their bytes, one row a place.
    """

    shape: bytes
    rows: Rows
    columns: npt.NDArray[np.uint8]

    def number(self, span: Span) -> Rows:
        """The numbers of at most 18 digits at a place: int64[n]."""
        total = np.zeros(len(self.rows), np.int64)
        for digits in self.columns[slice(*span)]:
            total *= 10
            total += digits - np.uint8(_ZERO)
        return total

    def texts(self, span: Span) -> tuple[list[str], Rows]:
        """The distinct texts at a place, and for each row the number of its text: int64[n]."""
        part = self.columns[slice(*span)]
        if (part == part[:, :1]).all():
            return [part[:, 0].tobytes().decode("utf-8", "replace")], np.zeros(part.shape[1], int)
        whole = np.ascontiguousarray(part.T).view(f"S{len(part)}").ravel()
        found, numbers = np.unique(whole, return_inverse=True)
        return [text.decode("utf-8", "replace") for text in found], numbers


def shape_groups(texts: pa.Array, longest: int) -> Iterator[ShapeGroup]:
    """The texts of 1 to `longest` bytes by their shape; nulls are in no group."""
    starts, lengths, data = _layout(texts)
    usable = (lengths > 0) & (lengths <= longest)
    for width in np.flatnonzero(np.bincount(lengths[usable], minlength=1)):
        rows = np.flatnonzero(lengths == width)
        yield from _by_shape(rows, _columns(data, starts[rows], int(width)))


def _layout(texts: pa.Array) -> tuple[Rows, Rows, npt.NDArray[np.uint8]]:
    """Where each text starts, its bytes (0 for null), and the bytes of all texts."""
    _, offsets, data = texts.buffers()
    if data is None or not len(texts):
        return np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.uint8)
    kind = np.int64 if pa.types.is_large_string(texts.type) else np.int32
    stored = np.frombuffer(offsets, kind)[texts.offset : texts.offset + len(texts) + 1]
    bounds: Rows = stored.astype(np.int64)
    lengths = np.diff(bounds)
    if texts.null_count:
        lengths[texts.is_null().to_numpy(zero_copy_only=False)] = 0
    return bounds[:-1], lengths, np.frombuffer(data, np.uint8)


def _columns(data: npt.NDArray[np.uint8], starts: Rows, width: int) -> npt.NDArray[np.uint8]:
    first, n = int(starts[0]), len(starts)
    if int(starts[-1]) - first == (n - 1) * width:  # side by side
        letters = data[first : first + n * width].reshape(n, width)
        return np.ascontiguousarray(letters.T)
    return np.stack([data[starts + place] for place in range(width)])


def _by_shape(rows: Rows, columns: npt.NDArray[np.uint8]) -> Iterator[ShapeGroup]:
    shapes = np.where(columns - np.uint8(_ZERO) < 10, np.uint8(_ZERO), columns)
    if (shapes == shapes[:, :1]).all():
        yield ShapeGroup(shapes[:, 0].tobytes(), rows, columns)
        return
    firsts, numbers = _distinct(shapes)
    order = np.argsort(numbers, kind="stable")
    edges = np.searchsorted(numbers[order], np.arange(len(firsts) + 1))
    sorted_columns = columns[:, order]
    for first, start, end in zip(firsts, edges[:-1], edges[1:], strict=True):
        shape = shapes[:, first].tobytes()
        yield ShapeGroup(shape, rows[order[start:end]], sorted_columns[:, start:end])


def _distinct(shapes: npt.NDArray[np.uint8]) -> tuple[Rows, Rows]:
    """The place of the first text of each shape, and for each text the number of its shape."""
    hashes = np.zeros(shapes.shape[1], np.uint64)
    for letters in shapes:
        hashes = (hashes ^ letters) * np.uint64(0x9E3779B97F4A7C15)
    _, firsts, numbers = np.unique(hashes, return_index=True, return_inverse=True)
    if not (shapes == shapes[:, firsts][:, numbers]).all():  # two shapes of one hash
        whole = np.ascontiguousarray(shapes.T).view(f"S{len(shapes)}").ravel()
        _, firsts, numbers = np.unique(whole, return_index=True, return_inverse=True)
    return firsts, numbers
