"""The closed forms against plain dense NumPy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from interest_graph.train.item_item import cosine_neighbours, ease, graph_filter, keep_top


@pytest.fixture
def ratings():
    """A sparse random matrix, 600 items wide so that it spans two blocks; item 3 has no user."""
    rng = np.random.default_rng(5)
    dense = np.where(rng.random((80, 600)) < 0.1, rng.integers(1, 4, (80, 600)), 0).astype(
        np.float32
    )
    dense[:, 3] = 0
    return dense


def test_cosine_neighbours_are_shrunk_cosines(ratings):
    weights = cosine_neighbours(sparse.csr_matrix(ratings), neighbours=600, shrinkage=2.0)

    norms = np.linalg.norm(ratings, axis=0)
    expected = ratings.T @ ratings / (np.outer(norms, norms) + 2.0)
    np.fill_diagonal(expected, 0)
    np.testing.assert_allclose(weights.toarray(), expected, rtol=1e-5)


def test_graph_filter_scales_by_powers_of_degrees(ratings):
    weights = graph_filter(sparse.csr_matrix(ratings), keep=600, user=0.5, src=0.6, dst=0.3)

    users, items = ratings.sum(axis=1), np.maximum(ratings.sum(axis=0), 1)
    expected = ratings.T @ (ratings / users[:, None] ** 0.5) / items[:, None] ** 0.6 / items**0.3
    np.fill_diagonal(expected, 0)
    np.testing.assert_allclose(weights.toarray(), expected, rtol=1e-4)


@pytest.mark.parametrize("item_exponent", [0.0, 0.5])
def test_ease_columns_are_ridge_regressions(ratings, item_exponent):
    weights = ease(sparse.csr_matrix(ratings), keep=600, l2=7.0, item_exponent=item_exponent)

    item, others = 10, np.delete(np.arange(600), 10)
    n_users = np.maximum((ratings > 0).sum(axis=0), 1)[others]
    gram = ratings[:, others].T @ ratings[:, others] + np.diag(7.0 * n_users**item_exponent)
    expected = np.linalg.solve(gram, ratings[:, others].T @ ratings[:, item])
    np.testing.assert_allclose(weights.toarray()[others, item], expected, atol=1e-5)
    assert weights[item, item] == 0


def test_ease_keeps_the_given_number_of_weights_for_each_scored_item(ratings):
    weights = ease(sparse.csr_matrix(ratings), keep=20, l2=7.0, item_exponent=0.0)

    assert np.diff(weights.tocsc().indptr).max() == 20


def test_keep_top_keeps_the_largest_magnitudes():
    weights = sparse.csr_matrix(np.array([[0.1, -0.9, 0.5, 0.0], [0.0, 0.2, 0.0, 0.0]]))

    assert keep_top(weights, 2).toarray().tolist() == [[0, -0.9, 0.5, 0], [0, 0.2, 0, 0]]


def test_keep_top_weighs_columns_by_importance():
    weights = sparse.csr_matrix(np.array([[0.1, -0.9, 0.5]]))

    kept = keep_top(weights, 1, importance=np.array([10.0, 1.0, 1.0]))

    assert kept.toarray().tolist() == [[0.1, 0, 0]]
