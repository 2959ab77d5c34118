"""Implicit ALS beside a direct solution of its normal equations."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from interest_graph.train.kernels.implicit_als import AlsSettings, implicit_factors

D, ALPHA, RIDGE = 4, 5.0, 0.3


@pytest.fixture(scope="module")
def matrix():
    rng = np.random.default_rng(5)
    weights = rng.integers(1, 5, size=(40, 25)) * (rng.random((40, 25)) < 0.3)
    weights[:, 0] = 1  # no user and no item is without a pair
    weights[0] = 2
    return sparse.csr_matrix(weights.astype(np.float32))


def loss(matrix, X, Y):
    """The objective as the module's docstring writes it."""
    R = matrix.toarray()
    confidence = 1 + ALPHA * R / matrix.data.mean()
    errors = ((R > 0) - X @ Y.T) ** 2
    n_users, n_items = ((R > 0).sum(axis) for axis in (1, 0))
    sizes = n_users @ (X**2).sum(1) + n_items @ (Y**2).sum(1)
    return float((confidence * errors).sum() + RIDGE * sizes)


def solved(matrix, Y):
    """The users' vectors that minimise the objective given the items'."""
    R = matrix.toarray()
    rows = []
    for row in R:
        confidence = 1 + ALPHA * row / matrix.data.mean()
        left = (Y.T * confidence) @ Y + RIDGE * np.count_nonzero(row) * np.eye(D)
        rows.append(np.linalg.solve(left, Y.T @ (confidence * (row > 0))))
    return np.array(rows)


def test_long_runs_reach_a_fixed_point_of_both_half_steps(matrix):
    X, Y = implicit_factors(matrix, AlsSettings(D, ALPHA, RIDGE, 300))

    # X is what the last items' vectors ask for, and Y what X asks for.
    np.testing.assert_allclose(solved(matrix, Y), X, atol=2e-3)
    np.testing.assert_allclose(solved(matrix.T, X), Y, atol=2e-3)


def test_the_loss_falls_with_each_iteration(matrix):
    losses = [
        loss(matrix, *implicit_factors(matrix, AlsSettings(D, ALPHA, RIDGE, n)))
        for n in range(1, 7)
    ]

    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < 0.9 * losses[0]


def test_scale_of_the_weights_does_not_matter(matrix):
    settings = AlsSettings(D, ALPHA, RIDGE, 3)

    plain, scaled = implicit_factors(matrix, settings), implicit_factors(matrix * 100, settings)

    for one, other in zip(plain, scaled, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4)
