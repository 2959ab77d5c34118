"""Negatives are items that the user lacks; every edge is met once."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from interest_graph.train.kernels.negative_sampling import Sampler, chances_of, slices

matrices = st.builds(
    lambda users, items, density, seed: sparse.csr_matrix(
        np.random.default_rng(seed).random((users, items)) < density, dtype=np.float32
    ),
    st.integers(1, 12),
    st.integers(1, 12),
    st.floats(0, 1),
    st.integers(0, 10_000),
)


@given(matrix=matrices, seed=st.integers(0, 1000))
def test_no_negative_is_a_positive_and_no_edge_is_lost(matrix, seed):
    known = matrix.toarray() > 0

    users, positives, negatives = draw(matrix, seed)

    assert known[users, positives].all()
    assert not known[users, negatives].any()
    usable = known & ~known.all(axis=1, keepdims=True)
    assert sorted(zip(users, positives, strict=True)) == sorted(zip(*usable.nonzero(), strict=True))


def test_a_user_who_lacks_one_item_gets_that_one():
    matrix = sparse.csr_matrix(np.array([[1, 1, 0, 1]] * 3 + [[0, 1, 1, 1]], dtype=np.float32))

    users, _, negatives = draw(matrix, 0)

    np.testing.assert_array_equal(negatives, np.where(users == 3, 0, 2))


def test_negatives_are_uniform_over_what_the_user_lacks():
    matrix = sparse.csr_matrix(np.array([[1, 0, 0, 0, 0]], dtype=np.float32))

    drawn = np.concatenate([draw(matrix, seed)[2] for seed in range(4000)])

    counts = np.bincount(drawn, minlength=5)
    assert counts[0] == 0
    assert abs(counts[1:] - 1000).max() < 5 * np.sqrt(1000 * 0.75)  # five standard deviations


@pytest.mark.parametrize(("kind", "exponent"), [("popularity", 0.75), ("in_batch", 1.0)])
def test_popular_items_are_drawn_more_often(kind, exponent):
    degrees = np.array([1.0, 4.0, 16.0, 0.0])
    sampler = Sampler(np.array([0, 0]), np.empty(0, np.int32), 4, chances_of(kind, degrees))

    drawn = sampler.negatives(np.zeros(20_000, np.int64), np.random.default_rng(0))

    expected = degrees**exponent / (degrees**exponent).sum()
    np.testing.assert_allclose(np.bincount(drawn, minlength=4) / 20_000, expected, atol=0.015)


@given(matrix=matrices, seed=st.integers(0, 1000))
def test_pool_items_that_a_user_has_are_marked(matrix, seed):
    sampler = sampler_of(matrix)
    pool, log_odds = sampler.pool(8, np.random.default_rng(seed))
    users = np.random.default_rng(seed).integers(matrix.shape[0], size=20)

    np.testing.assert_array_equal(sampler.seen(users, pool), (matrix.toarray() > 0)[users][:, pool])
    assert len(np.unique(pool)) == len(pool)
    np.testing.assert_allclose(np.exp(log_odds), 8 / matrix.shape[1])


def test_slices_cover_everything_in_order():
    values = np.arange(7)

    parts = [values[part] for part in slices(7, 3)]

    assert [len(part) for part in parts] == [3, 3, 1]
    np.testing.assert_array_equal(np.concatenate(parts), values)


def sampler_of(matrix):
    return Sampler(matrix.indptr.astype(np.int64), matrix.indices, matrix.shape[1])


def draw(matrix, seed):
    rng = np.random.default_rng(seed)
    users, positives = sampler_of(matrix).edges(rng)
    return users, positives, sampler_of(matrix).negatives(users, rng)
