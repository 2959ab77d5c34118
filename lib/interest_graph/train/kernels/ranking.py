"""Ranking quality on held-out pairs, in NumPy. No Spark in here."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt
from scipy import sparse

from interest_graph.largest import largest_columns

Floats = npt.NDArray[np.float32]
Codes = npt.NDArray[np.int64]

_USERS_PER_BLOCK = 256


def of_unit_length(vectors: np.ndarray) -> np.ndarray:
    """Rows divided by their lengths; float32[n, d]. Rows of zeros stay zeros."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    result: np.ndarray = vectors / np.maximum(lengths, np.finfo(np.float32).tiny)
    return result


def sample_users(n_held_out: Codes, *, at_most: int, seed: int) -> Codes:
    """Rows of users with held-out pairs; a seeded sample where there are more than `at_most`."""
    users = np.flatnonzero(n_held_out)
    if len(users) <= at_most:
        return users
    chosen = np.random.default_rng(seed).choice(users, size=at_most, replace=False)
    return np.sort(chosen)


def blocks_of(users: Codes, size: int = _USERS_PER_BLOCK) -> Iterator[Codes]:
    """The users in blocks small enough that block x items fits a worker."""
    for start in range(0, len(users), size):
        yield users[start : start + size]


def ndcg(hits: npt.NDArray[np.bool_], n_relevant: Codes) -> npt.NDArray[np.float64]:
    """Binary NDCG of each row of ranked hits [n_users, k] with the log2 discount.

    n_relevant: relevant items of each user, at least 1; the ideal list is cut at k.
    """
    discounts = 1.0 / np.log2(np.arange(2, hits.shape[1] + 2))
    ideal = np.cumsum(discounts)[np.minimum(n_relevant, hits.shape[1]) - 1]
    return np.asarray(hits @ discounts / ideal, dtype=np.float64)


def mean_ndcg(
    score: Callable[[Codes], Floats],
    seen: sparse.csr_matrix,
    held_out: sparse.csr_matrix,
    n_held_out: Codes,
    users: Codes,
    k: int,
) -> float:
    """Mean NDCG@k of `users` when all unseen items are ranked.

    score: rows of users -> scores [n_users, n_items]; seen, held_out: [n_users, n_items].
    """
    values = []
    for block in blocks_of(users):
        scores = score(block)
        scores[seen[block].nonzero()] = -np.inf
        relevant = held_out[block].toarray() > 0
        hits = np.take_along_axis(relevant, largest_columns(scores, k), axis=1)
        values.append(ndcg(hits, n_held_out[block]))
    return float(np.concatenate(values).mean()) if values else 0.0
