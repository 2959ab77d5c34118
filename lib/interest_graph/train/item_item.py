"""Item-item weights in closed form, in SciPy. No Spark in here.

All functions take R: float32 [n_users, n_items] in CSR and return W: [src item, dst item], so that
the scores of all users are R @ W.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import sparse

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


def keep_top(weights: sparse.csr_matrix, keep: int) -> sparse.csr_matrix:
    """The `keep` largest magnitudes of each row."""
    sizes = np.diff(weights.indptr)
    mask = np.ones(weights.nnz, dtype=bool)
    for row in np.flatnonzero(sizes > keep):
        start, end = weights.indptr[row], weights.indptr[row + 1]
        order = np.argpartition(-np.abs(weights.data[start:end]), keep - 1)
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
    for first in range(0, left.shape[0], _ITEMS_PER_BLOCK):
        products = (left[first : first + _ITEMS_PER_BLOCK] @ right).tocsr()
        parts.append(keep_top(transform(_without_diagonal(products, first), first), keep))
    return sparse.vstack(parts, format="csr")


def _without_diagonal(block: sparse.csr_matrix, first: int) -> sparse.csr_matrix:
    """Rows first.. of a square matrix with the self weights removed."""
    rows = first + np.repeat(np.arange(block.shape[0]), np.diff(block.indptr))
    block.data[rows == block.indices] = 0
    block.eliminate_zeros()
    return block
