"""Item-item weights in closed form, in SciPy. No Spark in here.

All functions take R: float32 [n_users, n_items] in CSR and return W: [src item, dst item], so that
the scores of all users are R @ W.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.linalg import lapack

_ITEMS_PER_BLOCK = 512


def cosine_neighbours(
    matrix: sparse.csr_matrix, *, neighbours: int, shrinkage: float
) -> sparse.csr_matrix:
    """The `neighbours` most similar items of each item: <r_i, r_j> / (|r_i| |r_j| + shrinkage).

    Sarwar et al., Item-based collaborative filtering recommendation algorithms, WWW 2001.
    """
    norms = np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=0), dtype=np.float32)).ravel()

    def similarity(products: sparse.csr_matrix, first: int) -> sparse.csr_matrix:
        rows = first + np.repeat(np.arange(products.shape[0]), np.diff(products.indptr))
        products.data /= norms[rows] * norms[products.indices] + np.float32(shrinkage)
        return products

    return _by_blocks(matrix.T.tocsr(), matrix, similarity, keep=neighbours)


def graph_filter(
    matrix: sparse.csr_matrix, *, keep: int, user: float, src: float, dst: float
) -> sparse.csr_matrix:
    """The linear low-pass filter Di^-src R' Du^-user R Di^-dst without its diagonal.

    Exponents of degrees: user weakens users with long histories, src frequent items of a history,
    dst frequent items among the scored. Shen et al., How powerful is graph convolution for
    recommendation?, CIKM 2021 (all 1/2); Park et al., Turbo-CF, SIGIR 2024 (other exponents).
    Keeps the `keep` largest weights of each src item.
    """
    n_users, n_items = matrix.sum(axis=0), matrix.sum(axis=1)
    right = _scaled(_powers(n_items, -user), matrix, _powers(n_users, -dst))
    left = _scaled(_powers(n_users, -src), matrix.T)
    return _by_blocks(left, right, lambda products, _: products, keep=keep)


def ease(
    matrix: sparse.csr_matrix, *, keep: int, l2: float, item_exponent: float
) -> sparse.csr_matrix:
    """Ridge regression of each item's column on all others, L2 strength l2 * n_users ** exponent.

    W = I - P / diag(P) with P = (R'R + L)^-1: Steck, Embarrassingly shallow autoencoders for
    sparse data, WWW 2019 (there L = l2 I). Keeps for each dst item the `keep` weights with the
    largest magnitude * sqrt(n_users of src): the deviation that they give the scores. By plain
    magnitude, weights of rare items push out those that act (NDCG on MovieLens falls twice as far).
    """
    n_users = np.maximum(np.diff(matrix.tocsc().indptr), 1)
    gram = (matrix.T @ matrix).toarray(order="F").astype(np.float64, copy=False)
    gram[np.diag_indices_from(gram)] += l2 * n_users**item_exponent
    inverse = _inverse(gram)
    blocks = _row_blocks(len(inverse))
    parts = [_regressions(inverse, rows, keep, np.sqrt(n_users)) for rows in blocks]
    return sparse.vstack(parts, format="csr").T.tocsr()


def keep_top(
    weights: sparse.csr_matrix, keep: int, importance: npt.NDArray[np.float64] | None = None
) -> sparse.csr_matrix:
    """The `keep` largest magnitudes of each row, times the importance of their columns if given."""
    sizes = np.diff(weights.indptr)
    mask = np.ones(weights.nnz, dtype=bool)
    sized = np.abs(weights.data)
    if importance is not None:
        sized = sized * importance[weights.indices]
    for row in np.flatnonzero(sizes > keep):
        start, end = weights.indptr[row], weights.indptr[row + 1]
        order = np.argpartition(-sized[start:end], keep - 1)
        mask[start + order[keep:]] = False
    kept = np.concatenate([[0], np.cumsum(mask)])[weights.indptr]
    return sparse.csr_matrix((weights.data[mask], weights.indices[mask], kept), weights.shape)


def _by_blocks(
    left: sparse.csr_matrix,
    right: sparse.csr_matrix,
    transform: Callable[[sparse.csr_matrix, int], sparse.csr_matrix],
    *,
    keep: int,
) -> sparse.csr_matrix:
    """left @ right without its diagonal, transformed and pruned a block of rows at a time."""
    parts = []
    for rows in _row_blocks(left.shape[0]):
        products = _without_diagonal((left[rows] @ right).tocsr(), rows.start)
        parts.append(keep_top(transform(products, rows.start), keep))
    return sparse.vstack(parts, format="csr")


def _without_diagonal(block: sparse.csr_matrix, first: int) -> sparse.csr_matrix:
    """Rows first.. of a square matrix with the self weights removed."""
    rows = first + np.repeat(np.arange(block.shape[0]), np.diff(block.indptr))
    block.data[rows == block.indices] = 0
    block.eliminate_zeros()
    return block


def _scaled(
    rows: npt.NDArray[np.float32],
    matrix: sparse.csr_matrix,
    columns: npt.NDArray[np.float32] | None = None,
) -> sparse.csr_matrix:
    scaled = sparse.diags_array(rows) @ matrix
    return (scaled if columns is None else scaled @ sparse.diags_array(columns)).tocsr()


def _powers(degrees: npt.ArrayLike, exponent: float) -> npt.NDArray[np.float32]:
    """degrees ** exponent, 0 where the degree is 0."""
    flat = np.asarray(degrees, dtype=np.float64).ravel()
    return np.where(flat > 0, np.maximum(flat, 1e-12) ** exponent, 0.0).astype(np.float32)


def _inverse(gram: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Inverse of a positive definite matrix, in place, by its Cholesky factor: symmetric."""
    factor, failed = lapack.dpotrf(gram, lower=1, overwrite_a=1)
    inverse, singular = lapack.dpotri(factor, lower=1, overwrite_c=1)
    if failed or singular:
        raise FloatingPointError("ease: the item matrix is not positive definite; raise ease.l2")
    upper = np.triu_indices_from(inverse, 1)
    inverse[upper] = inverse.T[upper]
    return np.asarray(inverse)


def _regressions(
    inverse: npt.NDArray[np.float64],
    rows: slice,
    keep: int,
    importance: npt.NDArray[np.float64],
) -> sparse.csr_matrix:
    """Weights of the regressions of the items `rows`, one a row: float32 [rows, n_items]."""
    block = inverse[rows]
    numbers = np.arange(rows.start, rows.start + len(block))
    weights = -block / inverse[numbers, numbers][:, None]
    weights[np.arange(len(block)), numbers] = 0.0
    return keep_top(sparse.csr_matrix(weights.astype(np.float32)), keep, importance)


def _row_blocks(n_rows: int) -> Iterator[slice]:
    for first in range(0, n_rows, _ITEMS_PER_BLOCK):
        yield slice(first, min(first + _ITEMS_PER_BLOCK, n_rows))
