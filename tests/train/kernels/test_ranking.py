"""Ranking quality against scikit-learn and by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import sparse
from sklearn.metrics import ndcg_score

from interest_graph.largest import largest_columns
from interest_graph.train.kernels import ranking
from interest_graph.train.kernels.ranking import (
    mean_ndcg,
    ndcg_sum,
    of_unit_length,
    sample_users,
)


def test_mean_ndcg_agrees_with_scikit_learn():
    rng = np.random.default_rng(4)
    scores = rng.normal(size=(40, 60)).astype(np.float32)
    relevant = rng.random((40, 60)) < 0.1
    relevant[:, 0] = True
    users, nothing_seen = np.arange(40), sparse.csr_matrix((40, 60))

    ours = mean_ndcg(
        lambda rows: scores[rows],
        nothing_seen,
        sparse.csr_matrix(relevant),
        relevant.sum(axis=1),
        users,
        k=10,
    )

    assert abs(ours - ndcg_score(relevant, scores, k=10)) < 1e-6


@pytest.mark.parametrize("k", [1, 7, 40])
def test_ndcg_on_the_device_equals_that_in_numpy(monkeypatch, k):
    monkeypatch.setattr(ranking, "_USERS_PER_BLOCK", 16)
    rng = np.random.default_rng(4)
    U, V = (rng.normal(size=(n, 5)).astype(np.float32) for n in (50, 30))
    draws = rng.random((50, 30))
    held_out, seen = sparse.csr_matrix(draws < 0.1), sparse.csr_matrix(draws > 0.7)
    n_held_out = np.diff(held_out.indptr)
    users = np.flatnonzero(n_held_out)

    ours = ndcg_sum(*map(torch.from_numpy, (U[users], V)), seen[users], held_out[users], k)

    expected = mean_ndcg(lambda rows: U[rows] @ V.T, seen, held_out, n_held_out, users, k)
    assert 0 < ours < len(users)
    assert ours == pytest.approx(expected * len(users), rel=1e-9)


def test_a_gpu_would_choose_the_same_of_equal_scores():
    values = np.random.default_rng(1).integers(4, size=(30, 90)).astype(np.float32)
    values[values == 0] = -np.inf
    values[3, 5:60] = np.nan

    by_sorting = ranking._best_by_sorting(torch.from_numpy(values), 40)

    np.testing.assert_array_equal(by_sorting, largest_columns(values, 40))
    np.testing.assert_array_equal(ranking.best_columns(torch.from_numpy(values), 40), by_sorting)


def test_seen_items_are_not_ranked_and_unknown_ones_count_as_misses():
    seen, held_out = sparse.csr_matrix([[1, 0, 0]]), sparse.csr_matrix([[0, 1, 0]])

    found = mean_ndcg(
        lambda _: np.array([[3.0, 2.0, 1.0]], dtype=np.float32),
        seen,
        held_out,
        np.array([2]),
        np.array([0]),
        k=2,
    )

    assert abs(found - 1 / (1 + 1 / np.log2(3))) < 1e-6


def test_of_equal_scores_the_first_items_are_ranked():
    held_out = sparse.csr_matrix(np.eye(1, 500))

    found = mean_ndcg(
        lambda _: np.zeros((1, 500), dtype=np.float32),
        sparse.csr_matrix((1, 500)),
        held_out,
        np.array([1]),
        np.array([0]),
        k=1,
    )

    assert found == 1.0


def test_sample_of_users_is_seeded_and_only_of_users_with_pairs():
    counts = np.arange(100) % 3

    sample = sample_users(counts, at_most=20, seed=1)

    assert (counts[sample] > 0).all()
    assert sample.tolist() == sample_users(counts, at_most=20, seed=1).tolist()


def test_rows_get_length_one_and_rows_of_zeros_stay():
    found = of_unit_length(np.array([[3.0, 4.0], [0.0, 0.0]], dtype=np.float32))

    np.testing.assert_allclose(found, [[0.6, 0.8], [0.0, 0.0]], rtol=1e-6)
    assert found.dtype == np.float32
