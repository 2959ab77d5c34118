"""Ranking quality on held-out pairs, in NumPy, and in torch on a device. No Spark in here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from scipy import sparse

from interest_graph.largest import largest_columns

if TYPE_CHECKING:
    import torch

Floats = npt.NDArray[np.float32]
Codes = npt.NDArray[np.int64]

_USERS_PER_BLOCK = 256
# A block's scores on a GPU: enough users to keep it busy, whatever the number of items.
_SCORES_PER_BLOCK = 2**25


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
    k = hits.shape[1]
    return np.asarray(hits @ _discounts(k) / ideal_gain(n_relevant, k), dtype=np.float64)


def ideal_gain(n_relevant: Codes, k: int) -> npt.NDArray[np.float64]:
    """The largest discounted gain of k places for so many relevant items each, at least 1."""
    gains: npt.NDArray[np.float64] = np.cumsum(_discounts(k))[np.minimum(n_relevant, k) - 1]
    return gains


def _discounts(k: int) -> npt.NDArray[np.float64]:
    return np.asarray(1.0 / np.log2(np.arange(2, k + 2)))


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


def ndcg_sum(
    U: torch.Tensor,
    V: torch.Tensor,
    seen: sparse.csr_matrix,
    held_out: sparse.csr_matrix,
    k: int,
) -> float:
    """Sum of NDCG@k over all users when all unseen items are ranked by <u, v>, on U's device.

    U: float32[n_users, d], V: float32[n_items, d]; seen, held_out: [n_users, n_items]. The same as
    `mean_ndcg` times n_users.
    """
    import torch

    n_items, k = len(V), min(k, len(V))
    (rows, columns), relevant = _cells(seen, U.device), _keys(held_out, U.device)
    bounds = seen.indptr
    discounts = 1.0 / torch.arange(2, k + 2, device=U.device, dtype=torch.float64).log2()
    n_relevant = torch.from_numpy(np.diff(held_out.indptr)).to(U.device).clamp(1, k).long()
    ideal = discounts.cumsum(0)[n_relevant - 1]
    total = torch.zeros((), dtype=torch.float64, device=U.device)
    size = _USERS_PER_BLOCK if U.device.type == "cpu" else max(1, _SCORES_PER_BLOCK // n_items)
    for start in range(0, len(U), size):
        scores = U[start : start + size] @ V.T
        block = slice(bounds[start], bounds[min(start + size, len(U))])
        scores[rows[block] - start, columns[block]] = -torch.inf
        best = best_columns(scores, k)
        users = torch.arange(start, start + len(scores), device=U.device)[:, None]
        hits = torch.isin(users * n_items + best, relevant).double()
        total += (hits @ discounts / ideal[start : start + size]).sum()
    return float(total)


def best_columns(values: torch.Tensor, k: int) -> torch.Tensor:
    """`largest_columns` of a float32[rows, columns] tensor, on its device: int64[rows, k]."""
    import torch

    if values.device.type == "cpu":
        return torch.from_numpy(largest_columns(values.numpy(), k).astype(np.int64))
    return _best_by_sorting(values, k)


def _best_by_sorting(values: torch.Tensor, k: int) -> torch.Tensor:
    """A GPU sorts fast, and a stable sort keeps the smaller of columns with equal values first."""
    import torch

    finite = values.nan_to_num(nan=-torch.inf, posinf=torch.inf, neginf=-torch.inf)
    return finite.sort(dim=1, descending=True, stable=True).indices[:, :k]


def _cells(matrix: sparse.csr_matrix, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    import torch

    rows = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    columns = matrix.indices.astype(np.int64)
    return torch.from_numpy(rows).to(device), torch.from_numpy(columns).to(device)


def _keys(matrix: sparse.csr_matrix, device: torch.device) -> torch.Tensor:
    rows, columns = _cells(matrix, device)
    n_items: int = matrix.shape[1]
    return rows * n_items + columns
