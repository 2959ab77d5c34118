"""Leading singular vectors and sharpened scores, from products with one matrix. No Spark here.

The matrix is never held: callers give a function that multiplies by it, e.g. over all shards.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np

if TYPE_CHECKING:
    import torch

_Array = TypeVar("_Array", np.ndarray, "torch.Tensor")

# A column that keeps less than this share of its length outside the basis depends on it, and what
# is left is rounding error.
_DEPENDENT = 1e-4
# Columns beyond those asked for: the last ones converge slowest (Halko et al. 2011).
_OVERSAMPLING = 8


@dataclass(frozen=True)
class Spectrum:
    """Leading eigenpairs of R^' R^: squared singular values and right singular vectors of R^.

    vectors: float32[items, d], orthonormal columns; values: float64[d], descending, at least 0.
    """

    vectors: np.ndarray
    values: np.ndarray


def leading_spectrum(
    gram: Callable[[np.ndarray], np.ndarray],
    n_items: int,
    dimension: int,
    *,
    n_products: int = 4,
    seed: int = 0,
) -> Spectrum:
    """The `dimension` leading singular vectors of R^, by block Krylov iteration and Rayleigh-Ritz.

    gram: Y -> R^' R^ Y for float32[n_items, width]; called at most n_products times. Fewer vectors
    come back where R^ has a lower rank. Musco & Musco, "Randomized block Krylov methods for
    stronger and faster approximate singular value decomposition", NeurIPS 2015: keeping every block
    of the subspace iteration needs far fewer products than keeping only the last.
    """
    width = min(dimension + _OVERSAMPLING, n_items)
    start = np.random.default_rng(seed).standard_normal((n_items, width))
    basis = np.empty((n_items, 0), dtype=np.float32)
    images = np.empty((n_items, 0), dtype=np.float32)
    block = start.astype(np.float32)
    for _ in range(n_products):
        fresh = _orthonormal_beside(basis, block)
        if not fresh.shape[1]:
            break  # the basis spans the whole row space of R^
        block = gram(fresh)
        basis, images = np.hstack([basis, fresh]), np.hstack([images, block])
    return _rayleigh_ritz(basis, images, min(dimension, basis.shape[1]))


def _orthonormal_beside(basis: np.ndarray, block: np.ndarray) -> np.ndarray:
    """Orthonormal columns that span what `block` adds to `basis`; dependent ones are dropped."""
    for _ in range(2):  # twice is enough (Kahan, Parlett)
        width = block.shape[1]
        if not width:
            break
        typical = np.linalg.norm(block) / np.sqrt(width)
        block = block - basis @ (basis.T @ block)
        squares, directions = np.linalg.eigh((block.T @ block).astype(np.float64))
        sizes = np.sqrt(np.maximum(squares, 0.0))
        keep = sizes > _DEPENDENT * typical
        block = (block @ (directions[:, keep] / sizes[keep])).astype(np.float32)
    return block


def _rayleigh_ritz(basis: np.ndarray, images: np.ndarray, dimension: int) -> Spectrum:
    small = (basis.T @ images).astype(np.float64)
    values, rotation = np.linalg.eigh((small + small.T) / 2)
    best = np.argsort(-values)[:dimension]
    vectors = basis @ rotation[:, best].astype(np.float32)
    return Spectrum(_with_fixed_signs(vectors), np.maximum(values[best], 0.0))


def _with_fixed_signs(vectors: np.ndarray) -> np.ndarray:
    """Flip columns so that the largest entry of each is positive: signs are otherwise arbitrary."""
    largest = np.abs(vectors).argmax(axis=0)
    signs = np.sign(vectors[largest, np.arange(vectors.shape[1])])
    return np.ascontiguousarray(vectors * signs)


_ORDER = 4  # of the Runge-Kutta step


def sharpened(X: _Array, product: Callable[[_Array], _Array], time: float) -> _Array:
    """Solve dX/dt = -P X from X for `time`, in one Runge-Kutta step of order 4; float32[items, n].

    X: a NumPy array or a torch tensor, and so is the result. product: X -> P X, called four times.
    P averages scores over similar items; the equation undoes part of that, most along P's leading
    eigenvectors, which nearly all items share. Choi et al., "Blurring-Sharpening Process Models for
    Collaborative Filtering" (BSPM), SIGIR 2023, solve it in the same way. As P is linear, the step
    is the first five terms of the series of exp(-time P) X.
    """
    if time == 0:
        return X
    term, total = X, X * 1  # a copy, also of a torch tensor
    for order in range(1, _ORDER + 1):
        term = product(term) * (-time / order)
        total += term
    return total
