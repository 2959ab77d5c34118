"""Scores all items for a block of users and ranks the best; NumPy and SciPy, no Spark in it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from interest_graph.largest import largest_columns, places_in_runs

Scores = NDArray[np.float32]
Positions = NDArray[np.intp]

# Two arrays of this size are alive at once; blocks from 256 to 4,096 users are alike in speed.
_BLOCK_BYTES = 48 * 2**20
NO_COLUMN = -1


@dataclass(frozen=True)
class ItemState:
    """What scoring needs to know of the items; position i is the i-th smallest item id.

    vectors: float32[n_items, dimension]; weights: float32[n_known, n_items], [j, i] is what item j
    of a history says about item i. Either may be absent.
    columns: int[n_known], the position of each known item of a history among the n_items,
    NO_COLUMN for one that is no candidate here; None where known items and candidates are the same.
    """

    n_items: int
    vectors: NDArray[np.float32] | None = None
    weights: csr_array | NDArray[np.float32] | None = None
    columns: Positions | None = None


def score_items(
    histories: csr_array, user_vectors: NDArray[np.float32] | None, items: ItemState
) -> Scores:
    """score(u, i) = <p_u, q_i> + sum_j r_uj W_ji, and -inf for the items of u's history.

    histories: r, float32[n_users, n_known]; user_vectors: p, float32[n_users, dimension].
    Returns float32[n_users, n_items].
    """
    scores = np.zeros((histories.shape[0], items.n_items), dtype=np.float32)
    if user_vectors is not None and items.vectors is not None:
        np.matmul(user_vectors, items.vectors.T, out=scores)
    if items.weights is not None:
        _add(scores, histories @ items.weights)
    rows, columns = _row_of_each_entry(histories), histories.indices
    if items.columns is not None:
        columns = items.columns[columns]
        rows, columns = rows[columns != NO_COLUMN], columns[columns != NO_COLUMN]
    scores[rows, columns] = -np.inf
    return scores


def best_of_rows(scores: Scores, k: int) -> tuple[Positions, Positions]:
    """Each row's k largest scores, best first; equal scores go to the smaller column.

    Scores of -inf are never chosen, so that a row may have fewer than k.
    Returns rows[n], columns[n], ordered by row and then by rank.
    """
    columns = largest_columns(scores, k)
    rows, places = np.nonzero(np.take_along_axis(scores, columns, axis=1) > -np.inf)
    return rows, columns[rows, places]


def rank_items(
    histories: csr_array, user_vectors: NDArray[np.float32] | None, items: ItemState, k: int
) -> tuple[Positions, Positions, Scores]:
    """The k best items outside each user's history, in blocks of users that bound the memory.

    Returns rows[n], columns[n] (positions of users and items) and their scores[n], ordered by
    user and then by rank.
    """
    found = []
    for block in _blocks(histories.shape[0], items.n_items):
        vectors = None if user_vectors is None else user_vectors[block]
        scores = score_items(histories[block], vectors, items)
        rows, columns = best_of_rows(scores, k)
        found.append((rows + block.start, columns, scores[rows, columns]))
    all_rows, all_columns, best = zip(*found, strict=True)
    return np.concatenate(all_rows), np.concatenate(all_columns), np.concatenate(best)


def ranks_within(rows: Positions) -> NDArray[np.int32]:
    """1, 2, ... within each run of equal values of the ordered `rows`."""
    return (places_in_runs(rows) + 1).astype(np.int32)


def _add(scores: Scores, part: csr_array | NDArray[np.float32]) -> None:
    if isinstance(part, np.ndarray):
        scores += part
    else:
        scores[_row_of_each_entry(part), part.indices] += part.data


def _row_of_each_entry(matrix: csr_array) -> Positions:
    return np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))


def _blocks(n_users: int, n_items: int) -> Iterator[slice]:
    size = max(1, _BLOCK_BYTES // (4 * max(1, n_items)))
    # An empty input still gives one (empty) block, so that results have their types.
    for start in range(0, max(1, n_users), size):
        yield slice(start, min(start + size, n_users))
