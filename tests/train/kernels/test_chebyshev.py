"""Chebyshev filters against the same formula in plain dense NumPy."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.polynomial import chebyshev as reference
from scipy import sparse

from interest_graph.train.kernels.chebyshev import (
    Operator,
    chebyshev_weights,
    coefficients,
    item_graph,
)

N_USERS, N_ITEMS = 60, 40
ALL = np.arange(N_ITEMS)


@pytest.fixture(scope="module")
def ratings():
    """A sparse random matrix; nobody has item 3."""
    rng = np.random.default_rng(4)
    shape = (N_USERS, N_ITEMS)
    dense = np.where(rng.random(shape) < 0.2, rng.integers(1, 4, shape), 0).astype(np.float32)
    dense[:, 3] = 0
    return dense


def normalised(ratings):
    users, items = (np.maximum(ratings.sum(axis), 1) for axis in (1, 0))
    return ratings / np.sqrt(users[:, None] * items)


def dense_operator(ratings, operator):
    """The operator as a matrix, by the eigenvectors of L~."""
    scaled = normalised(ratings)
    values, vectors = np.linalg.eigh(np.eye(N_ITEMS) - 2 * scaled.T @ scaled)
    response = reference.chebval(values, operator.coefficients)
    degrees = ratings.sum(axis=0)
    scale = np.where(degrees > 0, np.maximum(degrees, 1) ** operator.degree_exponent, 0)
    unscale = np.where(degrees > 0, 1 / np.maximum(scale, 1e-9), 0)
    filtered = vectors @ np.diag(response) @ vectors.T
    return unscale[:, None] * filtered * scale


def test_coefficients_are_those_that_the_authors_code_computes():
    found = coefficients(1.5)

    np.testing.assert_allclose(found, [0.5, -0.4927, 0, -0.0323, 0, 0.0211], atol=5e-4)


def test_weights_are_the_sum_of_the_operators_without_their_diagonal(ratings):
    operators = (
        Operator(0.4, (0.5, -0.4, 0.0, -0.1), (0.3,)),  # the ideal part is none of the weights
        Operator(0.0, (0.5, -0.5)),
    )
    items = np.array([0, 3, 17, 39])

    weights = chebyshev_weights(
        sparse.csr_matrix(ratings), items, keep=N_ITEMS, operators=operators
    )

    expected = sum(dense_operator(ratings, each) for each in operators)
    np.fill_diagonal(expected, 0)
    np.testing.assert_allclose(weights.toarray(), expected[items], atol=2e-4)


def test_only_the_largest_magnitudes_are_kept(ratings):
    matrix, operators = sparse.csr_matrix(ratings), (Operator(0.2, (0.5, -0.5)),)
    all_weights = chebyshev_weights(matrix, ALL, keep=N_ITEMS, operators=operators).toarray()

    few = chebyshev_weights(matrix, ALL, keep=5, operators=operators).toarray()

    known = np.flatnonzero(ratings.sum(axis=0))
    assert (np.count_nonzero(few[known], axis=1) == 5).all()
    least_kept = np.where(few != 0, np.abs(few), np.inf).min(axis=1)
    dropped = np.where(few == 0, np.abs(all_weights), 0).max(axis=1)
    assert (least_kept[known] >= dropped[known]).all()
    np.testing.assert_allclose(few[few != 0], all_weights[few != 0])


def test_terms_follow_the_recurrence(ratings):
    import torch

    graph = item_graph(sparse.csr_matrix(ratings), 0)
    scaled = normalised(ratings)
    L = np.eye(N_ITEMS) - 2 * scaled.T @ scaled

    terms = [term.numpy() for term in graph.terms(torch.eye(N_ITEMS), 4)]

    expected = [np.eye(N_ITEMS), L, 2 * L @ L - np.eye(N_ITEMS), 4 * L @ L @ L - 3 * L]
    for term, wanted in zip(terms, expected, strict=True):
        np.testing.assert_allclose(term, wanted, atol=1e-5)
