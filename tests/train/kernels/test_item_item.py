"""The closed forms against plain dense NumPy."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import sparse

from interest_graph.errors import TrainingError
from interest_graph.train.kernels import item_item
from interest_graph.train.kernels.item_item import (
    cosine_neighbours,
    ease,
    graph_filter,
    keep_top,
    local_ease,
    strongest,
)

ALL = np.arange(600)


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
    weights = cosine_neighbours(sparse.csr_matrix(ratings), ALL, neighbours=600, shrinkage=2.0)

    norms = np.linalg.norm(ratings, axis=0)
    expected = ratings.T @ ratings / (np.outer(norms, norms) + 2.0)
    np.fill_diagonal(expected, 0)
    np.testing.assert_allclose(weights.toarray(), expected, rtol=1e-5)


def test_graph_filter_scales_by_powers_of_degrees(ratings):
    weights = graph_filter(sparse.csr_matrix(ratings), ALL, keep=600, user=0.5, src=0.6, dst=0.3)

    users, items = ratings.sum(axis=1), np.maximum(ratings.sum(axis=0), 1)
    expected = ratings.T @ (ratings / users[:, None] ** 0.5) / items[:, None] ** 0.6 / items**0.3
    np.fill_diagonal(expected, 0)
    np.testing.assert_allclose(weights.toarray(), expected, rtol=1e-4)


def test_sharpening_takes_a_runge_kutta_step_along_the_filter(ratings):
    exponents = {"user": 1.0, "src": 0.5, "dst": 0.5}
    R = sparse.csr_matrix(ratings)
    weights = graph_filter(R, ALL, keep=600, **exponents, sharpening=2.5)

    users, items = ratings.sum(axis=1), np.maximum(ratings.sum(axis=0), 1)
    P = ratings.T @ (ratings / users[:, None]) / np.sqrt(np.outer(items, items))
    step = sum(np.linalg.matrix_power(-2.5 * P, n) / math.factorial(n) for n in range(5))
    expected = P @ step
    np.fill_diagonal(expected, 0)
    np.testing.assert_allclose(weights.toarray(), expected, atol=1e-5)


def test_sharpened_weights_are_the_strongest_of_each_item(ratings):
    settings = {"user": 0.7, "src": 0.6, "dst": 0.3, "sharpening": 1.0}
    every = graph_filter(sparse.csr_matrix(ratings), ALL, keep=600, **settings)
    few = graph_filter(sparse.csr_matrix(ratings), ALL, keep=9, **settings)

    np.testing.assert_allclose(few.toarray(), keep_top(every, 9).toarray(), atol=1e-7)


def test_of_equal_weights_the_first_are_kept_and_zeros_never():
    rows = np.array([[1, -1, 1, 3], [0, 0, 2, 0]], dtype=np.float32)

    kept = strongest(rows, 3)

    np.testing.assert_array_equal(kept.toarray(), [[1, -1, 0, 3], [0, 0, 2, 0]])
    assert kept.nnz == 4


@pytest.mark.parametrize("item_exponent", [0.0, 0.5])
def test_ease_columns_are_ridge_regressions(ratings, item_exponent):
    weights = ease(sparse.csr_matrix(ratings), ALL, keep=600, l2=7.0, item_exponent=item_exponent)

    item, others = 10, np.delete(np.arange(600), 10)
    n_users = np.maximum((ratings > 0).sum(axis=0), 1)[others]
    gram = ratings[:, others].T @ ratings[:, others] + np.diag(7.0 * n_users**item_exponent)
    expected = np.linalg.solve(gram, ratings[:, others].T @ ratings[:, item])
    np.testing.assert_allclose(weights.toarray()[item, others], expected, atol=1e-5)
    assert weights[item, item] == 0


def test_ease_keeps_the_given_number_of_weights_for_each_scored_item(ratings):
    weights = ease(sparse.csr_matrix(ratings), ALL, keep=20, l2=7.0, item_exponent=0.0)

    assert np.diff(weights.indptr).max() == 20


def test_local_ease_with_all_items_as_neighbours_is_ease():
    R = sparse.csr_matrix((np.random.default_rng(1).random((60, 12)) < 0.5).astype(np.float32))

    local = local_ease(R, np.arange(12), neighbours=12, user=0.0, l2=5.0, item_exponent=0.5)

    full = ease(R, np.arange(12), keep=12, l2=5.0, item_exponent=0.5)
    np.testing.assert_allclose(local.toarray(), full.toarray(), atol=1e-5)


def test_local_ease_solves_the_ridge_regression_on_the_nearest(ratings):
    weights = local_ease(
        sparse.csr_matrix(ratings), ALL, neighbours=30, user=0.7, l2=2.0, item_exponent=0.5
    ).toarray()

    item, scaled = 10, ratings / ratings.sum(axis=1)[:, None] ** 0.35
    shared = (scaled.T @ scaled)[item] / np.sqrt(np.maximum(ratings.sum(axis=0), 1))
    shared[item] = 0
    nearest = np.argsort(-shared)[:30]
    ridge = 2.0 * (ratings > 0).sum(axis=0)[nearest] ** 0.5
    gram = scaled[:, nearest].T @ scaled[:, nearest] + np.diag(ridge)
    expected = np.linalg.solve(gram, scaled[:, nearest].T @ scaled[:, item])
    assert set(np.flatnonzero(weights[item])) == set(nearest)
    np.testing.assert_allclose(weights[item, nearest], expected, rtol=1e-4)


@pytest.mark.parametrize("keep", [600, 20])
def test_a_devices_tiles_hold_what_the_cpus_do(ratings, monkeypatch, keep):
    """The code for a GPU, run on a torch device of another name."""
    R = sparse.csr_matrix(ratings)
    settings = {"keep": keep, "user": 1.0, "src": 0.5, "dst": 0.5, "sharpening": 2.5}
    expected = graph_filter(R, ALL, **settings).toarray()

    monkeypatch.setattr(item_item, "task_device", lambda: "cpu:0")
    monkeypatch.setattr(item_item, "_ENTRIES_PER_TILE", 600 * 7)
    weights = graph_filter(R, ALL, **settings).toarray()

    assert np.count_nonzero(weights) == np.count_nonzero(expected) > 0
    np.testing.assert_allclose(weights, expected, atol=1e-6)


def test_a_devices_inverse_is_the_cpus(ratings, monkeypatch):
    R, settings = sparse.csr_matrix(ratings), {"keep": 600, "l2": 5.0, "item_exponent": 0.0}
    expected = ease(R, ALL, **settings).toarray()

    monkeypatch.setattr(item_item, "task_device", lambda: "cpu:0")

    np.testing.assert_allclose(ease(R, ALL, **settings).toarray(), expected, atol=1e-6)
    with pytest.raises(TrainingError, match=r"not positive definite; raise train\.ease\.l2"):
        ease(R, ALL, keep=600, l2=-50.0, item_exponent=0.0)


def test_parts_of_the_items_make_up_the_whole(ratings):
    R = sparse.csr_matrix(ratings)
    settings = {"keep": 50, "user": 0.5, "src": 0.6, "dst": 0.3}

    parts = [graph_filter(R, np.arange(part, 600, 3), **settings) for part in range(3)]

    whole = graph_filter(R, ALL, **settings)
    assert all((whole[part::3] != parts[part]).nnz == 0 for part in range(3))


def test_keep_top_keeps_the_largest_magnitudes():
    weights = sparse.csr_matrix(np.array([[0.1, -0.9, 0.5, 0.0], [0.0, 0.2, 0.0, 0.0]]))

    assert keep_top(weights, 2).toarray().tolist() == [[0, -0.9, 0.5, 0], [0, 0.2, 0, 0]]


def test_keep_top_takes_the_first_of_equal_weights_whatever_their_order():
    columns = np.random.default_rng(3).permutation(300)
    weights = sparse.csr_matrix((np.ones(300), columns, [0, 300]), shape=(1, 400))

    assert sorted(keep_top(weights, 5).indices) == [0, 1, 2, 3, 4]


def test_keep_top_weighs_columns_by_importance():
    weights = sparse.csr_matrix(np.array([[0.1, -0.9, 0.5]]))

    kept = keep_top(weights, 1, importance=np.array([10.0, 1.0, 1.0]))

    assert kept.toarray().tolist() == [[0.1, 0, 0]]
