"""Item-item weights in closed form, in SciPy and torch. No Spark in here.

All functions take R: float32 [n_users, n_items] in CSR, and `items`: int64 numbers of the items to
work on, so that several workers can share the work. They return one row an item of `items`:
[len(items), n_items] in CSR, self weights being absent.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.linalg import lapack

from interest_graph.device import keep_freed_memory, naming_out_of_memory, task_device
from interest_graph.errors import TrainingError
from interest_graph.largest import largest_columns, mark_largest, places_in_runs
from interest_graph.train.kernels.krylov import sharpened
from interest_graph.train.kernels.ranking import best_columns
from interest_graph.train.kernels.sparse import powers, to_torch

if TYPE_CHECKING:
    import torch

Codes = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

_NOT_DEFINITE = "the items' matrix is not positive definite; raise train.ease.l2"
ITEMS_PER_BLOCK = 512  # whose rows of products are in memory at a time
# Whose dense rows are multiplied at a time: what is gathered from stays in the processor's cache.
# Of 41,000 items, two workers sharpen one in 2.4 ms in tiles of 16, 3.5 in 48; SciPy takes 3.5, 5.
ITEMS_PER_TILE = 16
# Regressions that are solved together, fewer where users are many: each has columns for all users.
_REGRESSIONS_OF_A_BATCH = 64
_COLUMNS_OF_A_BATCH = 2**22
# Entries of a tile's dense rows on a GPU: enough to keep it busy, 256 MB of float32.
_ENTRIES_PER_TILE = 2**26


def cosine_neighbours(
    matrix: sparse.csr_matrix, items: Codes, *, neighbours: int, shrinkage: float
) -> sparse.csr_matrix:
    """The `neighbours` most similar items of each item: <r_i, r_j> / (|r_i| |r_j| + shrinkage).

    Sarwar et al., Item-based collaborative filtering recommendation algorithms, WWW 2001.
    """
    norms = np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=0), dtype=np.float64)).ravel()
    parts = []
    for block, products in row_products(matrix.T.tocsr(), matrix, items):
        own = np.repeat(block, np.diff(products.indptr))
        products.data /= norms[own] * norms[products.indices] + shrinkage
        parts.append(keep_top(products, neighbours))
    return sparse.vstack(parts, format="csr")


def graph_filter(
    matrix: sparse.csr_matrix,
    items: Codes,
    *,
    keep: int,
    user: float,
    src: float,
    dst: float,
    sharpening: float = 0.0,
) -> sparse.csr_matrix:
    """The linear low-pass filter Di^-src R' Du^-user R Di^-dst; `items` are src items.

    Exponents of degrees: user weakens users with long histories, src frequent items of a history,
    dst frequent items among the scored. Shen et al., How powerful is graph convolution for
    recommendation?, CIKM 2021 (all 1/2); Park et al., Turbo-CF, SIGIR 2024 (other exponents).
    sharpening: time for which the scores are sharpened by the same filter (krylov.sharpened).
    Keeps the `keep` weights of largest magnitude of each src item.
    """
    of_users, of_items = matrix.sum(axis=1), matrix.sum(axis=0)
    right = scaled(powers(of_users, -user), matrix, powers(of_items, -dst))
    left = scaled(powers(of_items, -src), matrix.T)
    if sharpening > 0:
        parts = _sharpened_rows(left, right, items, sharpening, keep)
    else:
        parts = (keep_top(products, keep) for _, products in row_products(left, right, items))
    return sparse.vstack(list(parts), format="csr")


def ease(
    matrix: sparse.csr_matrix, items: Codes, *, keep: int, l2: float, item_exponent: float
) -> sparse.csr_matrix:
    """Ridge regression of each item's column on all others, L2 strength l2 * n_users ** exponent.

    P / -diag(P) with P = (R'R + L)^-1: Steck, Embarrassingly shallow autoencoders for sparse data,
    WWW 2019 (there L = l2 I). `items` are dst items. Keeps for each the `keep` weights with the
    largest magnitude * sqrt(n_users of src): the deviation that they give the scores. By plain
    magnitude, weights of rare items push out those that act (NDCG on MovieLens falls twice as far).
    """
    n_users = _n_users(matrix)
    gram = (matrix.T @ matrix).toarray(order="F").astype(np.float64, copy=False)
    gram[np.diag_indices_from(gram)] += l2 * n_users**item_exponent
    inverse = _inverse(gram)
    parts = []
    for block in blocks(items):
        weights = -inverse[block] / inverse[block, block][:, None]
        weights[np.arange(len(block)), block] = 0.0
        rows = sparse.csr_matrix(weights.astype(np.float32))
        parts.append(keep_top(rows, keep, importance=np.sqrt(n_users)))
    return sparse.vstack(parts, format="csr")


def local_ease(
    matrix: sparse.csr_matrix,
    items: Codes,
    *,
    neighbours: int,
    user: float,
    l2: float,
    item_exponent: float,
) -> sparse.csr_matrix:
    """EASE with each item's regression confined to its nearest neighbours: any number of items.

    Users count with (weighted degree) ** -user. Neighbours by co-occurrence / sqrt(degree), as in
    the feature selection of Ning, Karypis, SLIM, ICDM 2011 (section IV.C). `items` are dst items.
    """
    of_users, of_items = matrix.sum(axis=1), matrix.sum(axis=0)
    by_user = scaled(powers(of_users, -user / 2), matrix)
    by_item, damping = by_user.T.tocsr(), powers(of_items, -0.5)
    ridge = l2 * _n_users(matrix) ** item_exponent
    parts = []
    for block, products in row_products(by_item, by_user, items):
        nearest = keep_top((products @ sparse.diags(damping)).tocsr(), neighbours)
        parts.append(_regressions(by_item, block, nearest, ridge))
    return sparse.vstack(parts, format="csr")


def keep_top(
    weights: sparse.csr_matrix, keep: int, importance: Floats | None = None
) -> sparse.csr_matrix:
    """The `keep` largest magnitudes of each row, times the importance of their columns if given.

    Of equal ones those of the smaller columns; a row with no more than `keep` entries stays whole.
    """
    sized = np.abs(weights.data)
    if importance is not None:
        sized = sized * importance[weights.indices]
    mask = mark_largest(sized, weights.indices, weights.indptr, keep)
    kept = np.concatenate([[0], np.cumsum(mask)])[weights.indptr]
    return sparse.csr_matrix((weights.data[mask], weights.indices[mask], kept), weights.shape)


def _sharpened_rows(
    left: sparse.csr_matrix, right: sparse.csr_matrix, items: Codes, time: float, keep: int
) -> Iterator[sparse.csr_matrix]:
    """Tiles of items with the strongest of their rows of the sharpened filter left @ right."""
    import torch

    keep_freed_memory()
    device = task_device()
    # Transposed, so that a tile's rows lie side by side as columns: a cache line a row.
    up, down = (to_torch(part.T.tocsr(), device) for part in (left, right))
    if device != "cpu":
        with naming_out_of_memory():
            yield from _sharpened_on_device(up, down, items, time, keep)
        return
    for tile in blocks(items, ITEMS_PER_TILE):
        smooth = (left[tile] @ right).astype(np.float32).T.toarray(order="C")
        columns = sharpened(smooth, lambda X: (down @ (up @ torch.from_numpy(X))).numpy(), time)
        columns[tile, np.arange(len(tile))] = 0.0
        yield strongest(np.ascontiguousarray(columns.T), keep)


def _sharpened_on_device(
    up: torch.Tensor, down: torch.Tensor, items: Codes, time: float, keep: int
) -> Iterator[sparse.csr_matrix]:
    """The same with all products on the device of `up` [n_users, n_items] and `down`, its back."""
    import torch

    n_items = up.shape[1]
    for tile in blocks(items, max(1, _ENTRIES_PER_TILE // n_items)):
        own = torch.from_numpy(tile).to(up.device), torch.arange(len(tile), device=up.device)
        columns = torch.zeros(n_items, len(tile), device=up.device)
        columns[own] = 1.0
        columns = sharpened(down @ (up @ columns), lambda X: down @ (up @ X), time)
        columns[own] = 0.0
        rows = columns.T.contiguous()
        best = best_columns(rows.abs(), keep).sort(dim=1).values
        yield _kept_cells(best.cpu().numpy(), rows.gather(1, best).cpu().numpy(), n_items)


def strongest(rows: npt.NDArray[np.float32], keep: int) -> sparse.csr_matrix:
    """The `keep` largest magnitudes of each row of a dense matrix; zeros are never kept."""
    columns = np.sort(largest_columns(np.abs(rows), keep), axis=1)
    return _kept_cells(columns, np.take_along_axis(rows, columns, axis=1), rows.shape[1])


def _kept_cells(
    columns: npt.NDArray[np.integer[Any]], kept: npt.NDArray[np.float32], n_columns: int
) -> sparse.csr_matrix:
    """A sparse matrix of the cells [rows, k] that are not zero; columns ascending within a row."""
    is_weight = kept != 0
    starts = np.concatenate([[0], np.cumsum(np.count_nonzero(is_weight, axis=1))])
    return sparse.csr_matrix((kept[is_weight], columns[is_weight], starts), (len(kept), n_columns))


def _regressions(
    by_item: sparse.csr_matrix, block: Codes, nearest: sparse.csr_matrix, ridge: Floats
) -> sparse.csr_matrix:
    """Weights of the block's items on their nearest; by_item: [n_items, n_users].

    Raises TrainingError where a regression has no unique solution.
    """
    found = nearest.copy()
    at_a_time = int(np.clip(_COLUMNS_OF_A_BATCH // by_item.shape[1], 1, _REGRESSIONS_OF_A_BATCH))
    for first in range(0, len(block), at_a_time):
        part = slice(first, first + at_a_time)
        cells = slice(found.indptr[first], found.indptr[min(first + at_a_time, len(block))])
        found.data[cells] = _solved(by_item, block[part], nearest[part], ridge)
    return found


def _solved(
    by_item: sparse.csr_matrix, items: Codes, nearest: sparse.csr_matrix, ridge: Floats
) -> Floats:
    """Solutions of the items' regressions on their nearest, in the order of its entries.

    All are padded to one size, so that few calls compute them. Their rows of by_item get columns
    of their own, by which one sparse product gives all of their Gram matrices and nothing between
    them.
    """
    import torch

    sizes = np.diff(nearest.indptr)
    width, n_users = int(sizes.max(initial=0)), by_item.shape[1]
    # Each item after its neighbours: (number of the regression, place in it) of every row.
    numbers = np.concatenate([np.repeat(np.arange(len(items)), sizes), np.arange(len(items))])
    places = np.concatenate([places_in_runs(numbers[: nearest.nnz]), np.full(len(items), width)])
    rows = by_item[np.concatenate([nearest.indices, items])]
    columns = rows.indices + np.repeat(numbers * n_users, np.diff(rows.indptr))
    apart = sparse.csr_matrix(
        (rows.data, columns, rows.indptr), shape=(len(numbers), len(items) * n_users)
    )
    products = (apart @ apart.T).tocoo()
    gram = np.zeros((len(items), width + 1, width + 1))
    gram[numbers[products.row], places[products.row], places[products.col]] = products.data
    own = numbers[: nearest.nnz], places[: nearest.nnz]
    diagonal = np.ones((len(items), width))  # of what pads
    diagonal[own] = gram[*own, own[1]] + ridge[nearest.indices]
    gram[:, np.arange(width), np.arange(width)] = diagonal
    factors, failed = torch.linalg.cholesky_ex(torch.from_numpy(gram[:, :width, :width].copy()))
    if failed.any():
        raise TrainingError(
            "the matrix of an item's neighbours is not positive definite; raise train.local_ease.l2"
        )
    targets = torch.from_numpy(gram[:, :width, width:].copy())
    solutions = torch.cholesky_solve(targets, factors).numpy()
    return np.asarray(solutions[*own, 0], dtype=np.float64)


def row_products(
    left: sparse.csr_matrix, right: sparse.csr_matrix, items: Codes
) -> Iterator[tuple[Codes, sparse.csr_matrix]]:
    """Blocks of items with their rows of left @ right, without the diagonal."""
    for block in blocks(items):
        products = (left[block] @ right).tocsr()
        products.sort_indices()
        products.data[np.repeat(block, np.diff(products.indptr)) == products.indices] = 0
        products.eliminate_zeros()
        yield block, products


def blocks(items: Codes, size: int = ITEMS_PER_BLOCK) -> Iterator[Codes]:
    """The items in consecutive blocks of at most `size`."""
    for first in range(0, len(items), size):
        yield items[first : first + size]


def _n_users(matrix: sparse.csr_matrix) -> Floats:
    """Users of each item, at least 1."""
    counts = np.bincount(matrix.indices, minlength=matrix.shape[1])
    return np.maximum(counts, 1).astype(np.float64)


def scaled(
    rows: Floats, matrix: sparse.csr_matrix, columns: Floats | None = None
) -> sparse.csr_matrix:
    """diag(rows) matrix diag(columns)."""
    product = sparse.diags(rows) @ matrix
    return (product if columns is None else product @ sparse.diags(columns)).tocsr()


def _inverse(gram: Floats) -> Floats:
    """Inverse of a positive definite matrix by its Cholesky factor, in place on the CPU.

    Raises TrainingError for another matrix.
    """
    device = task_device()
    if device != "cpu":
        with naming_out_of_memory():
            return _inverse_on_device(gram, device)
    factor, failed = lapack.dpotrf(gram, lower=1, overwrite_a=1)
    inverse, singular = lapack.dpotri(factor, lower=1, overwrite_c=1)
    if failed or singular:
        raise TrainingError(_NOT_DEFINITE)
    for first in range(0, len(inverse), ITEMS_PER_BLOCK):  # mirrors the lower half in place
        end = first + ITEMS_PER_BLOCK
        lower = np.tril(inverse[first:end, first:end])
        inverse[first:end, first:end] = lower + np.tril(lower, -1).T
        inverse[first:end, end:] = inverse[end:, first:end].T
    return np.asarray(inverse)


def _inverse_on_device(gram: Floats, device: str) -> Floats:
    import torch

    factor, failed = torch.linalg.cholesky_ex(torch.from_numpy(gram).to(device))
    if failed:
        raise TrainingError(_NOT_DEFINITE)
    return np.asarray(torch.cholesky_inverse(factor).cpu().numpy())
