"""Cost of pruning for a recommender: recall of held-out edges before and after. No Spark here."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import sparse

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

_USERS_AT_ONCE = 200  # rows of users x items held as a dense block


def recall_before_and_after(edges: pd.DataFrame, *, n_users: int, k: int) -> dict[str, float]:
    """Recall@k of users' latest items, ranked by a linear graph filter on all and on kept edges.

    edges: src, dst, weight, last_ts, is_kept; one row a user-item pair. Up to `n_users` users with
    at least two edges are tested, evenly spread over the sorted ids. Their latest edge (of equal
    times the larger item id) is removed from both graphs; it is a hit when its item is among the k
    best unseen items. Scores: R^ R^' R^ with R^ = Du^-1/2 R Di^-1/2.
    Returns n_users, recall_before, recall_after; an empty dict when no user has two edges.
    """
    ordered = edges.sort_values(["src", "last_ts", "dst"], ignore_index=True)
    user, item = (pd.factorize(ordered[end], sort=True)[0] for end in ("src", "dst"))
    held_out = _held_out(user, n_users)
    if not len(held_out):
        return {}
    weight = ordered["weight"].to_numpy(dtype=np.float64)
    remaining = np.ones(len(ordered), dtype=bool)
    remaining[held_out] = False
    shape = (int(user.max()) + 1, int(item.max()) + 1)

    def recall(chosen: npt.NDArray[np.bool_]) -> float:
        matrix = sparse.csr_array((weight[chosen], (user[chosen], item[chosen])), shape=shape)
        return _hit_rate(matrix, seen, user[held_out], item[held_out], k)

    seen = sparse.csr_array((weight[remaining], (user[remaining], item[remaining])), shape=shape)
    kept = remaining & ordered["is_kept"].to_numpy(dtype=bool)
    return {
        "n_users": float(len(held_out)),
        "recall_before": recall(remaining),
        "recall_after": recall(kept),
    }


def _held_out(user: Ints, n_users: int) -> Ints:
    """Row of the last edge of each tested user; user: int64[edges], sorted by user and time."""
    last = np.flatnonzero(np.r_[user[1:] != user[:-1], True])
    eligible = last[np.bincount(user) >= 2]
    chosen = np.linspace(0, len(eligible) - 1, min(n_users, len(eligible)))
    return eligible[np.unique(chosen.astype(np.int64))]


def _hit_rate(
    matrix: sparse.csr_array, seen: sparse.csr_array, users: Ints, targets: Ints, k: int
) -> float:
    """Fraction of users whose target item is among their k best unseen items.

    matrix: users x items that scores are computed from; seen: users x items to leave out.
    """
    filtered = _normalised(matrix)
    hits = 0
    for start in range(0, len(users), _USERS_AT_ONCE):
        block = users[start : start + _USERS_AT_ONCE]
        scores = (filtered[block] @ filtered.T @ filtered).toarray()
        known = seen[block].tocoo()
        scores[known.row, known.col] = -1.0
        target = targets[start : start + _USERS_AT_ONCE]
        own = scores[np.arange(len(block)), target]
        better = (scores > own[:, None]).sum(axis=1)
        tied = ((scores == own[:, None]) & (np.arange(scores.shape[1]) < target[:, None])).sum(
            axis=1
        )
        hits += int(((better + tied < k) & (own > 0)).sum())
    return hits / len(users)


def _normalised(matrix: sparse.csr_array) -> sparse.csr_array:
    """Du^-1/2 R Di^-1/2; rows and columns without weight stay 0."""
    scales = []
    for axis in (1, 0):
        total = np.asarray(matrix.sum(axis=axis)).ravel()
        root = np.divide(1.0, np.sqrt(total), out=np.zeros_like(total), where=total > 0)
        scales.append(sparse.diags_array(root))
    return (scales[0] @ matrix @ scales[1]).tocsr()
