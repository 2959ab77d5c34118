"""A bank of Chebyshev filters: many settings scored from few tables. No Spark here.

All filters of one degree exponent are sums of the same terms T_k(L~) X and projections on singular
vectors (kernels/chebyshev.py). The terms are computed once for a block of users and kept where a
user's candidates are; hundreds of settings are then sums of small tables.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import numpy.typing as npt
from scipy import sparse

from interest_graph.train.kernels.chebyshev import ItemGraph, Operator, coefficients
from interest_graph.train.kernels.ranking import Codes, Floats

if TYPE_CHECKING:
    import torch

_Table = TypeVar("_Table", npt.NDArray[np.float32], "torch.Tensor")

# Of the filters that nominate candidates: flat and steep, with a usual share of the ideal filter.
_NOMINATING_FLATNESS, _NOMINATING_IDEAL = (1.5, 6.0), 0.2


@dataclass(frozen=True, order=True)
class FilterSettings:
    """One filter: sum_k c_k(flatness) T_k + ideal_weight V V', between degrees ** -b and ** b.

    degree_exponent: b; flatness: of the polynomial's response, None for no polynomial; n_vectors:
    columns of V.
    """

    degree_exponent: float
    flatness: float | None
    ideal_weight: float
    n_vectors: int

    @property
    def order(self) -> int:
        """Of the polynomial: 0 where there is none, 1 for a linear one, 2 for all others."""
        return min(2, max(0, len(_coefficients(self)) - 1))


# A weighted sum of filters.
FilterSum = Sequence[tuple[FilterSettings, float]]


@dataclass(frozen=True)
class FilterGrid:
    """The settings to compare: all combinations of the four."""

    degree_exponents: tuple[float, ...]
    flatness: tuple[float, ...]
    ideal_weights: tuple[float, ...]
    n_vectors: tuple[int, ...]

    def settings(self) -> Iterator[FilterSettings]:
        """All combinations; where flatness has a choice, the ideal filter alone is another one."""
        for exponent, flatness, ideal in product(
            self.degree_exponents, self.flatness, self.ideal_weights
        ):
            for width in self.n_vectors if ideal else self.n_vectors[:1]:
                yield FilterSettings(exponent, flatness, ideal, width)
        if len(self.flatness) > 1:
            for exponent, width in product(self.degree_exponents, self.n_vectors):
                yield FilterSettings(exponent, None, 1.0, width)


@dataclass(frozen=True)
class FilterBank:
    """Scores of a block of users by the filters of a grid.

    graph: with at least max(grid.n_vectors) singular vectors, or all there are; matrix: R, float32
    [n_users, n_items].
    """

    graph: ItemGraph
    matrix: sparse.csr_matrix
    grid: FilterGrid

    @property
    def n_terms(self) -> int:
        """Terms of the longest polynomial of the grid."""
        return max(len(coefficients(flatness)) for flatness in self.grid.flatness)

    @property
    def widths(self) -> list[int]:
        """Numbers of singular vectors of the grid, ascending."""
        return sorted(set(self.grid.n_vectors))

    def nominate(self, block: Codes) -> Iterator[tuple[float, list[Floats], list[Floats]]]:
        """By degree exponent: it, the terms, and scores of the filters that nominate candidates.

        block: rows of users. Terms are float32 [n_items, len(block)], scores [len(block), n_items].
        """
        import torch

        V = torch.from_numpy(self.graph.vectors[:, : self.widths[len(self.widths) // 2]])
        for exponent in self.grid.degree_exponents:
            X = torch.from_numpy(self._columns(block, exponent))
            terms = list(self.graph.terms(X, self.n_terms))
            scale = torch.from_numpy(self.graph.scale(exponent))[:, None]
            projected = V @ (V.T @ X)
            scores = [projected * scale]
            for flatness in _NOMINATING_FLATNESS:
                total = _NOMINATING_IDEAL * projected
                _add_polynomial(total, flatness, terms)
                scores.append(total * scale)
            tables = [score.T.contiguous().numpy() for score in scores]
            yield exponent, [term.numpy() for term in terms], tables

    def basis(
        self, exponent: float, terms: Sequence[Floats], candidates: Codes
    ) -> npt.NDArray[np.float32]:
        """Terms, then projections by width, at each user's candidates; scaled by degrees.

        terms: as from `nominate`; candidates: int [n_users, width], items. Returns float32
        [n_basis, n_users, width].
        """
        of_users = np.arange(len(candidates))[:, None]
        at = [term[candidates, of_users] for term in terms]
        on_vectors = terms[0].T @ self.graph.vectors
        total, start = np.zeros(candidates.shape, dtype=np.float32), 0
        for width in self.widths:
            V = self.graph.vectors[:, start:width]
            total = total + np.einsum("uwd,ud->uw", V[candidates], on_vectors[:, start:width])
            at.append(total)
            start = width
        return np.stack(at) * self.graph.scale(exponent)[candidates]

    def combined(
        self, basis: npt.NDArray[np.float32], settings: FilterSettings
    ) -> npt.NDArray[np.float32]:
        """The filter's scores from the basis of its degree exponent; float32 [n_users, width]."""
        place = self.n_terms + self.widths.index(settings.n_vectors)
        total: npt.NDArray[np.float32] = np.float32(settings.ideal_weight) * basis[place]
        if settings.flatness is not None:
            _add_polynomial(total, settings.flatness, basis)
        return total

    def _columns(self, block: Codes, exponent: float) -> npt.NDArray[np.float32]:
        scaled = self.matrix[block] @ sparse.diags(self.graph.scale(-exponent))
        columns: npt.NDArray[np.float32] = scaled.astype(np.float32).T.toarray(order="C")
        return columns


def _add_polynomial(total: _Table, flatness: float, terms: Iterable[_Table]) -> None:
    """Add sum_k c_k(flatness) T_k in place; terms: at least as many as there are coefficients."""
    for share, term in zip(coefficients(flatness).tolist(), terms, strict=False):
        if share:
            total += share * term


def merged(filters: FilterSum) -> tuple[Operator, ...]:
    """The weighted sum of filters, as one operator for each degree exponent."""
    operators = []
    for exponent in sorted({settings.degree_exponent for settings, _ in filters}):
        own = [(each, weight) for each, weight in filters if each.degree_exponent == exponent]
        terms = np.zeros(max(len(_coefficients(each)) for each, _ in own))
        ideal = np.zeros(max(each.n_vectors if each.ideal_weight else 0 for each, _ in own))
        for each, weight in own:
            found = _coefficients(each)
            terms[: len(found)] += weight * found
            if each.ideal_weight:
                ideal[: each.n_vectors] += weight * each.ideal_weight
        operators.append(Operator(exponent, tuple(terms.tolist()), tuple(ideal.tolist())))
    return tuple(operators)


def _coefficients(settings: FilterSettings) -> npt.NDArray[np.float64]:
    return np.zeros(0) if settings.flatness is None else coefficients(settings.flatness)
