"""Weighted user-item pairs as SciPy matrices, read from Arrow. No Spark here."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from scipy import sparse

from interest_graph.weight_blocks import positions_in


@dataclass(frozen=True)
class Interactions:
    """Weighted user-item pairs as matrices with a row a user and a column an item.

    users, items: ids of the rows and columns, ascending; matrix: float32 [n_users, n_items], the
    training pairs; held_out: the held-out pairs in the same shape, without those of users or items
    that have no training pair; n_held_out: int64[n_users], held-out pairs of each user including
    unknown items, which no model can rank: they count as misses.
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
    """Build the matrices from rows of user_id, item_id, weight; items: all item ids, ascending."""
    users = sorted_ids(trained["user_id"])
    owners = positions_in(users, held_out["user_id"])
    return Interactions(
        users=users,
        items=items,
        matrix=_matrix(trained, users, items),
        held_out=_matrix(held_out, users, items),
        n_held_out=np.bincount(owners[owners >= 0], minlength=len(users)),
    )


def sorted_ids(ids: pa.ChunkedArray) -> pa.Array:
    """The distinct ids in ascending order."""
    return pc.unique(ids).sort()


def _matrix(pairs: pa.Table, users: pa.Array, items: pa.Array) -> sparse.csr_matrix:
    rows, columns = positions_in(users, pairs["user_id"]), positions_in(items, pairs["item_id"])
    known = (rows >= 0) & (columns >= 0)
    values = pairs["weight"].to_numpy().astype(np.float32)[known]
    shape = (len(users), len(items))
    return sparse.coo_matrix((values, (rows[known], columns[known])), shape=shape).tocsr()
