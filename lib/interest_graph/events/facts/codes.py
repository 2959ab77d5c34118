"""Texts as integers that sort as the texts do, and orders of rows by several integer columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from interest_graph.errors import DataError
from interest_graph.table_files import compacted

Ints = npt.NDArray[np.int64]
Codes = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

_MOST = 2**63 - 1  # of int64


@dataclass(frozen=True)
class Coded:
    """A text column. codes: int32[n], the rank of each row's text; texts: distinct, ascending.

    texts may hold entries that no row uses. Texts sort by their UTF-8 bytes, as in Spark.
    """

    codes: Codes
    texts: pa.StringArray

    def column(self, rows: npt.NDArray[Any]) -> pa.DictionaryArray:
        """The texts of these rows; its dictionary holds no others."""
        return compacted(pa.DictionaryArray.from_arrays(pa.array(self.codes[rows]), self.texts))


def ranked(column: pa.ChunkedArray, name: str) -> Coded:
    """Rank the texts of a column. Raises DataError, with the column's name, if a text is null."""
    codes, texts = encoded(column)
    n_null = int((codes < 0).sum())
    if n_null:
        raise DataError(f"accepted events without {name}", n_null)
    ascending = pc.sort_indices(texts)
    return Coded(_places(ascending)[codes], texts.take(ascending))


def ranks(column: pa.ChunkedArray) -> Codes:
    """int32[n]: the rank of each text among the texts of the column; null ranks last."""
    codes, texts = encoded(column)
    return np.append(_places(pc.sort_indices(texts)), np.int32(len(texts)))[codes]


def encoded(column: pa.ChunkedArray) -> tuple[Codes, pa.StringArray]:
    """Codes of a text or dictionary column, equal for equal texts and -1 for null; its texts."""
    if not len(column):
        return np.empty(0, np.int32), pa.array([], pa.string())
    if not pa.types.is_dictionary(column.type):
        return _indices_and_dictionary(column.dictionary_encode())
    indices, dictionary = _indices_and_dictionary(column.unify_dictionaries())
    # Joins and casts leave dictionaries with an entry twice, or with null as an entry.
    translation, texts = encoded(pa.chunked_array([dictionary]))
    return np.append(translation, np.int32(-1))[indices], texts


def order_by(*keys: npt.NDArray[Any]) -> Ints:
    """Rows sorted by integer columns, the most significant first. Rows equal in all: any order.

    As many leading columns as 63 bits hold are sorted as one number; only the rows that agree in
    these are sorted by the others.
    """
    packed, n_packed = _packed(keys)
    order = np.argsort(packed)
    if n_packed < len(keys):
        starts = starts_of_runs(packed[order])
        tied = np.flatnonzero(in_longer_runs(starts))
        rows = order[tied]
        group = np.cumsum(starts[tied], dtype=np.int64)
        order[tied] = rows[_order_in_groups(group, [key[rows] for key in keys[n_packed:]])]
    return order


def merged(*keys: npt.NDArray[Any]) -> list[npt.NDArray[Any]]:
    """As few integer columns as sort and compare as these do: one, if 63 bits hold all of them."""
    packed, n_packed = _packed(keys)
    return [packed] if n_packed == len(keys) else list(keys)


def starts_of_runs(*columns: npt.NDArray[Any]) -> Mask:
    """True where a row differs from the row before in any of the columns, and at the first row."""
    starts = np.ones(len(columns[0]), bool)
    if len(starts):
        starts[1:] = False
    for column in columns:
        starts[1:] |= column[1:] != column[:-1]
    return starts


def in_longer_runs(starts: Mask) -> Mask:
    """True for the rows of runs of two or more rows; starts: true where a run starts."""
    ends = np.ones(len(starts), bool)
    ends[:-1] = starts[1:]
    return ~(starts & ends)


def _order_in_groups(group: Ints, keys: list[npt.NDArray[Any]]) -> Ints:
    _, n_packed = _packed((group, keys[0]))
    if n_packed == 2:
        return order_by(group, *keys)
    return np.lexsort((*reversed(keys), group))  # the key alone is too wide to pack with groups


def _packed(keys: tuple[npt.NDArray[Any], ...]) -> tuple[Ints, int]:
    """One number a row that sorts as the leading keys do, and how many keys it stands for."""
    packed = keys[0].astype(np.int64)
    if not len(packed):
        return packed, len(keys)
    width = 1
    for n, key in enumerate(keys):
        least, most = int(key.min()), int(key.max())
        size = most - least + 1
        if width * size > _MOST:
            return packed, max(n, 1)
        own = np.subtract(key, least, dtype=np.int64)
        packed = own if n == 0 else packed * size + own
        width *= size
    return packed, len(keys)


def _places(ascending: pa.Array) -> Codes:
    """int32[n]: where each entry stands in the order that lists the entries."""
    places = np.empty(len(ascending), np.int32)
    places[ascending.to_numpy()] = np.arange(len(ascending), dtype=np.int32)
    return places


def _indices_and_dictionary(column: pa.ChunkedArray) -> tuple[Codes, pa.Array]:
    """Indices of all chunks, -1 for null, and the dictionary that the chunks share."""
    chunks = [chunk.indices.fill_null(-1).to_numpy(zero_copy_only=False) for chunk in column.chunks]
    return np.concatenate(chunks).astype(np.int32, copy=False), column.chunk(0).dictionary.cast(
        pa.string()
    )
