"""Edges between Arrow and SciPy: what one worker computes on. No Spark in here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from scipy import sparse

_ROWS_PER_BATCH = 200_000


@dataclass(frozen=True)
class Interactions:
    """Weighted user-item pairs with their ids in ascending order.

    users, items: ids of rows and columns; matrix: float32 [n_users, n_items];
    held_out: pairs kept for validation in the same shape, of known users and items only;
    n_held_out: validation pairs by user, unknown items included (they count as misses).
    """

    users: pa.Array
    items: pa.Array
    matrix: sparse.csr_matrix
    held_out: sparse.csr_matrix
    n_held_out: npt.NDArray[np.int64]


def read_interactions(batches: Iterable[pa.RecordBatch]) -> Interactions:
    """Build the matrices from rows of user_id, item_id, weight, is_held_out, in any order."""
    table = pa.Table.from_batches(list(batches))
    trained = table.filter(pc.invert(table["is_held_out"]))
    items = sorted_ids(trained["item_id"])
    return interactions_of(trained, table.filter(table["is_held_out"]), items)


def interactions_of(trained: pa.Table, held_out: pa.Table, items: pa.Array) -> Interactions:
    """Build the matrices from rows of user_id, item_id, weight; items: all ids in order."""
    users = sorted_ids(trained["user_id"])
    owners = codes_of(held_out["user_id"], users)
    return Interactions(
        users=users,
        items=items,
        matrix=_matrix(trained, users, items),
        held_out=_matrix(held_out, users, items),
        n_held_out=np.bincount(owners[owners >= 0], minlength=len(users)),
    )


def weight_batches(weights: sparse.csr_matrix, items: pa.Array) -> Iterator[pa.RecordBatch]:
    """Rows of src, dst, weight from an item-item matrix [src, dst], in bounded batches."""
    cells = weights.tocoo()
    for start in range(0, max(cells.nnz, 1), _ROWS_PER_BATCH):
        part = slice(start, start + _ROWS_PER_BATCH)
        src, dst = (items.take(pa.array(codes[part])) for codes in (cells.row, cells.col))
        weight = pa.array(cells.data[part].astype(np.float32))
        yield pa.RecordBatch.from_arrays([src, dst, weight], names=["src", "dst", "weight"])


def sorted_ids(ids: pa.ChunkedArray) -> pa.Array:
    """The distinct ids in ascending order."""
    return pc.unique(ids).sort()


def codes_of(ids: pa.ChunkedArray, known: pa.Array) -> npt.NDArray[np.int64]:
    """Position of each id among the known ones; -1 where unknown."""
    codes = pc.fill_null(pc.index_in(ids, value_set=known), -1)
    return np.asarray(codes.to_numpy(), dtype=np.int64)


def _matrix(pairs: pa.Table, users: pa.Array, items: pa.Array) -> sparse.csr_matrix:
    rows, columns = codes_of(pairs["user_id"], users), codes_of(pairs["item_id"], items)
    known = (rows >= 0) & (columns >= 0)
    values = pairs["weight"].to_numpy().astype(np.float32)[known]
    shape = (len(users), len(items))
    return sparse.coo_matrix((values, (rows[known], columns[known])), shape=shape).tocsr()
