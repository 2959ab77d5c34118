"""Item-item similarity of a block of items, by sparse products. No Spark here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy import sparse

from interest_graph.largest import largest_entries

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

# Multiply-adds of one product: each takes about 16 bytes until equal pairs have been added up.
_PRODUCTS_AT_ONCE = 20_000_000


@dataclass(frozen=True)
class Similarity:
    """A measure of how much the user sets of two items overlap.

    shrinkage: multiplies the similarity by n / (n + shrinkage) for n shared users; n_baskets:
    number of all users, for pmi only.
    """

    measure: Literal["cosine", "jaccard", "pmi"] = "cosine"
    shrinkage: float = 0.0
    n_baskets: int = 0

    def of(self, shared: Floats, size: Floats, other_size: Floats) -> Floats:
        """Similarity of pairs of items of `size` and `other_size` users, of which `shared` common.

        All float64[pairs].
        """
        if self.measure == "cosine":
            value = shared / np.sqrt(size * other_size)
        elif self.measure == "jaccard":
            value = shared / (size + other_size - shared)
        else:
            value = np.maximum(np.log(shared * self.n_baskets / (size * other_size)), 0.0)
        return value * (shared / (shared + self.shrinkage)) if self.shrinkage else value


def most_similar(
    baskets: sparse.csr_array, sizes: Floats, rows: Ints, *, k: int, similarity: Similarity
) -> Iterator[tuple[Ints, Ints, Floats, Ints]]:
    """The `k` items most similar to each item of `rows`, best first; ties to the smaller number.

    baskets: int32[users, items] of ones, with all users of the `rows` items; sizes: float64[items],
    users of each item. Yields src, dst, similarity (> 0), shared users, each [pairs], for a part of
    the rows at a time, so that memory is bounded.
    """
    by_item = baskets.T.tocsr()
    basket_sizes = np.diff(baskets.indptr).astype(np.float64)
    ones = sparse.csr_array(
        (np.ones(by_item.nnz), by_item.indices, by_item.indptr), shape=by_item.shape
    )
    products = np.asarray(ones @ basket_sizes)[rows]
    for piece in _pieces(rows, products):
        counts = (by_item[piece] @ baskets).tocsr()
        yield _best_of(counts, sizes, piece, k, similarity)


def _pieces(rows: Ints, products: Floats) -> list[Ints]:
    """Split rows into pieces of at most about _PRODUCTS_AT_ONCE products, or of a single row."""
    group = np.floor(np.cumsum(products) / _PRODUCTS_AT_ONCE)
    return [piece for piece in np.split(rows, np.flatnonzero(np.diff(group)) + 1) if len(piece)]


def _best_of(
    counts: sparse.csr_array, sizes: Floats, rows: Ints, k: int, similarity: Similarity
) -> tuple[Ints, Ints, Floats, Ints]:
    owner = np.repeat(np.arange(len(rows)), np.diff(counts.indptr))
    dst = counts.indices
    shared = counts.data.astype(np.float64)
    value = similarity.of(shared, sizes[rows[owner]], sizes[dst])
    value[dst == rows[owner]] = 0.0  # an item is not its own neighbour
    best = largest_entries(value, dst, counts.indptr, k, above=0)
    src = rows[owner[best]].astype(np.int64)
    return src, dst[best].astype(np.int64), value[best], counts.data[best].astype(np.int64)
