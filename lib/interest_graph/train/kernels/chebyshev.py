"""Chebyshev filters on the item graph, as weights between items or user by user. No Spark here.

R~ = Du^-1/2 R Di^-1/2 (weighted degrees), P = R~' R~, L~ = I - 2P with eigenvalues in [-1, 1], V
the leading right singular vectors of R~. A user's row r of R is scored by

    r Di^-b [ sum_k c_k T_k(L~) + sum_v a_v v v' ] Di^b

ChebyCF: Kim et al., "Graph Spectral Filtering with Chebyshev Interpolation for Recommendation",
SIGIR 2025. T_k: Chebyshev polynomials; the second sum is the ideal low-pass filter of GF-CF, with
a weight for each vector. The operator is linear in r and so equals weights between items.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from scipy import sparse

from interest_graph.device import keep_freed_memory
from interest_graph.train.kernels.item_item import (
    ITEMS_PER_TILE,
    blocks,
    keep_top,
    row_products,
    scaled,
    strongest,
)
from interest_graph.train.kernels.krylov import leading_spectrum
from interest_graph.train.kernels.ranking import Codes
from interest_graph.train.kernels.sparse import both_ways, powers

if TYPE_CHECKING:
    import torch

Floats = npt.NDArray[np.float64]
Dense = npt.NDArray[np.float32]

ORDER = 8  # of the interpolation
# A coefficient below this share of the largest is left out: each term costs two sparse products.
_NEGLIGIBLE = 5e-3
_PRODUCTS = 4  # with R~' R~, to find V
_LINEAR = 2  # coefficients of a polynomial of first order


def coefficients(flatness: float, order: int = ORDER) -> Floats:
    """c_0 ... c_order of the low-pass response with the given flatness; float64[order + 1].

    Target: h(x) = 1/2 - sign(x) |x|^flatness / 2 of L~'s eigenvalue x: a high flatness passes all
    but the ends alike. As the authors' code does, h is read at the points cos((K - i) pi / K),
    rounded to three digits, and interpolated at cos((K + 1/2 - i) pi / (K + 1)); the two sets of
    points differ, and a textbook fit is another filter. At flatness 1 the target is linear and
    needs no interpolation.
    """
    if flatness == 1:
        return np.array([0.5, -0.5])
    places = np.arange(order + 1)
    x = np.round(np.cos((order - places) * np.pi / order), 3)
    target = 0.5 - 0.5 * np.sign(x) * np.abs(x) ** flatness
    angles = (order + 0.5 - places) * np.pi / (order + 1)
    found = np.cos(places[:, None] * angles) @ target * 2 / (order + 1)
    found[0] /= 2
    found[np.abs(found) < _NEGLIGIBLE * np.abs(found).max()] = 0.0
    return np.asarray(np.trim_zeros(found, "b"), dtype=np.float64)


@dataclass(frozen=True)
class ItemGraph:
    """The operators of the module's docstring for one matrix R [n_users, n_items].

    up, down: R~ and its transpose, torch CSR float32; degrees: float64[n_items], weighted degrees;
    vectors: V, float32[n_items, d], by descending singular value.
    """

    up: torch.Tensor
    down: torch.Tensor
    degrees: Floats
    vectors: Dense

    def terms(self, X: torch.Tensor, n: int) -> Iterator[torch.Tensor]:
        """T_0(L~) X ... T_(n-1)(L~) X by the three-term recurrence; X: float32[n_items, width]."""
        before = last = X
        for number in range(n):
            if number:
                filtered = last - 2 * (self.down @ (self.up @ last))
                before, last = last, filtered if number == 1 else 2 * filtered - before
            yield last

    def scale(self, exponent: float) -> Dense:
        """Degrees ** exponent as float32[n_items]; 0 where the degree is 0."""
        return powers(self.degrees, exponent).astype(np.float32)


def item_graph(matrix: sparse.csr_matrix, n_vectors: int, *, seed: int = 0) -> ItemGraph:
    """R~ and its `n_vectors` leading right singular vectors, fewer where its rank is lower.

    matrix: R, float32 [n_users, n_items]; n_vectors: 0 for none.
    """
    import torch

    by_root, degrees = _by_root_of_degrees(matrix)
    up, down = both_ways(by_root, "cpu")

    def gram(Y: Dense) -> Dense:
        found: Dense = (down @ (up @ torch.from_numpy(np.ascontiguousarray(Y)))).numpy()
        return found

    n_items = matrix.shape[1]
    vectors = np.zeros((n_items, 0), dtype=np.float32)
    if n_vectors:
        spectrum = leading_spectrum(gram, n_items, n_vectors, n_products=_PRODUCTS, seed=seed)
        vectors = spectrum.vectors
    return ItemGraph(up, down, degrees, vectors)


def _by_root_of_degrees(matrix: sparse.csr_matrix) -> tuple[sparse.csr_matrix, Floats]:
    """R~, and the weighted degrees of the items, float64[n_items]."""
    by_user, degrees = (np.asarray(matrix.sum(axis), np.float64).ravel() for axis in (1, 0))
    return scaled(powers(by_user, -0.5), matrix, powers(degrees, -0.5)), degrees


@dataclass(frozen=True)
class Operator:
    """What the module's docstring defines: b, c_0 c_1 ..., and a_v of V's columns in order."""

    degree_exponent: float
    coefficients: tuple[float, ...]
    ideal: tuple[float, ...] = ()


def chebyshev_weights(
    matrix: sparse.csr_matrix, items: Codes, *, keep: int, operators: Sequence[Operator]
) -> sparse.csr_matrix:
    """Weights of the operators' sum from `items` (src) to all items; [len(items), n_items].

    matrix: R, float32 [n_users, n_items]. The sums over singular vectors are left out: they stay
    exact as vectors, and pruned they lose 1% of Recall@20 on Gowalla. Keeps the `keep` weights of
    largest magnitude of each src item; self weights are absent.
    """
    if all(len(each.coefficients) <= _LINEAR for each in operators):
        return _linear_weights(matrix, items, keep, operators)
    keep_freed_memory()
    graph = item_graph(matrix, 0)
    scales = [
        (graph.scale(-each.degree_exponent), graph.scale(each.degree_exponent))
        for each in operators
    ]
    parts = []
    for tile in blocks(items, ITEMS_PER_TILE):
        rows = _rows(graph, operators, scales, tile)
        rows[np.arange(len(tile)), tile] = 0.0
        parts.append(strongest(rows, keep))
    return sparse.vstack(parts, format="csr")


def _linear_weights(
    matrix: sparse.csr_matrix, items: Codes, keep: int, operators: Sequence[Operator]
) -> sparse.csr_matrix:
    """The same where no term is of a higher order: of c_0 I + c_1 (I - 2P), -2 c_1 P is left."""
    by_root, degrees = _by_root_of_degrees(matrix)
    by_item = by_root.T.tocsr()
    scales = [powers(degrees, each.degree_exponent) for each in operators]
    parts = []
    for block, products in row_products(by_item, by_root, items):
        own = np.repeat(block, np.diff(products.indptr))
        factors = np.zeros(products.nnz)
        for each, scale in zip(operators, scales, strict=True):
            linear = each.coefficients[1] if len(each.coefficients) == _LINEAR else 0.0
            factors -= 2 * linear * scale[products.indices] / scale[own]
        products.data = (products.data * factors).astype(np.float32)
        products.eliminate_zeros()
        parts.append(keep_top(products, keep))
    return sparse.vstack(parts, format="csr")


def _rows(
    graph: ItemGraph,
    operators: Sequence[Operator],
    scales: Sequence[tuple[Dense, Dense]],
    tile: Codes,
) -> Dense:
    """The polynomials' weights from the items: float32[len(tile), n_items], in C order.

    scales: of each operator, the degrees ** -b and ** b, which are the same for all tiles. The
    terms are those of the items alone, so that all operators share them: an item's degree scales
    all of its row.
    """
    import torch

    X = torch.zeros((graph.up.shape[1], len(tile)))
    X[torch.from_numpy(tile), torch.arange(len(tile))] = 1.0
    totals = [torch.zeros_like(X) for _ in operators]
    n_terms = max(len(each.coefficients) for each in operators)
    for number, term in enumerate(graph.terms(X, n_terms)):
        for total, each in zip(totals, operators, strict=True):
            if number < len(each.coefficients) and each.coefficients[number]:
                total.add_(term, alpha=each.coefficients[number])
    rows: Dense = np.zeros((len(tile), len(X)), dtype=np.float32)
    for total, (own, scale) in zip(totals, scales, strict=True):
        rows += total.numpy().T * own[tile][:, None] * scale
    return rows
