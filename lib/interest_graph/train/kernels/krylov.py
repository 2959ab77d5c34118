"""Singular vectors, and sharpened scores, by products with a graph's filter. No Spark here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

# Directions whose part outside the basis is this small, relative to before, are noise.
_DEPENDENT = 1e-4
# More directions than asked for: the last of them converge slowest (Halko et al. 2011).
_OVERSAMPLING = 8


@dataclass(frozen=True)
class Spectrum:
    """R^' R^ V = V diag(values): V float32[items, d], columns orthonormal, values descending."""

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
    """Block Krylov iteration on Y -> R^' R^ Y, then Rayleigh-Ritz on all blocks.

    Musco & Musco, "Randomized block Krylov methods for stronger and faster approximate singular
    value decomposition", NeurIPS 2015: keeping every block of the subspace iteration needs far
    fewer products than keeping the last. gram is called n_products times.
    """
    width = min(dimension + _OVERSAMPLING, n_items)
    start = np.random.default_rng(seed).standard_normal((n_items, width))
    basis = np.empty((n_items, 0), dtype=np.float32)
    images = np.empty((n_items, 0), dtype=np.float32)
    block = start.astype(np.float32)
    for _ in range(n_products):
        fresh = _orthonormal_beside(basis, block)
        if not fresh.shape[1]:
            break  # the basis already holds every direction there is
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
    """Each column's largest entry is positive: signs are otherwise arbitrary."""
    largest = np.abs(vectors).argmax(axis=0)
    signs = np.sign(vectors[largest, np.arange(vectors.shape[1])])
    return np.ascontiguousarray(vectors * signs)


_ORDER = 4


def sharpened(
    X: np.ndarray, product: Callable[[np.ndarray], np.ndarray], time: float
) -> np.ndarray:
    """What dX/dt = -P X makes of X within `time`, in one Runge-Kutta step of order 4.

    X: float32[items, n]; product: X -> P X, called four times. Where P smooths scores over similar
    items, this takes smoothing back, most where nearly all items look similar. Choi et al.,
    "Blurring-Sharpening Process Models for Collaborative Filtering", SIGIR 2023, who solve it this
    way. As P is linear, the step is the first five terms of exp(-time P) X.
    """
    if time == 0:
        return X
    term, total = X, X.copy()
    for order in range(1, _ORDER + 1):
        term = product(term) * np.float32(-time / order)
        total += term
    return total
