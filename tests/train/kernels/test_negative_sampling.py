"""Negatives are items that the user lacks; every edge is met once."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from interest_graph.train.kernels.negative_sampling import Drawing, Sampler, chances_of, slices

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


def test_a_user_who_lacks_one_item_of_many_gets_that_one():
    cells = np.ones((2, 3000), dtype=np.float32)
    cells[:, 1234] = 0

    _, _, negatives = draw(sparse.csr_matrix(cells), 0)

    assert (negatives == 1234).all()


def test_negatives_are_uniform_over_what_the_user_lacks():
    sampler = sampler_of(sparse.csr_matrix(np.array([[1, 0, 0, 0, 0]], dtype=np.float32)))

    drawn = sampler.negatives(torch.zeros(4000, dtype=torch.int64))

    counts = np.bincount(drawn, minlength=5)
    assert counts[0] == 0
    assert abs(counts[1:] - 1000).max() < 5 * np.sqrt(1000 * 0.75)  # five standard deviations


@pytest.mark.parametrize(("kind", "exponent"), [("popularity", 0.75), ("in_batch", 1.0)])
def test_popular_items_are_drawn_more_often(kind, exponent):
    degrees = np.array([1.0, 4.0, 16.0, 0.0])
    sampler = Sampler(np.array([0, 0]), np.empty(0, np.int32), 4, chances_of(kind, degrees))

    drawn = sampler.negatives(torch.zeros(20_000, dtype=torch.int64))

    expected = degrees**exponent / (degrees**exponent).sum()
    np.testing.assert_allclose(np.bincount(drawn, minlength=4) / 20_000, expected, atol=0.015)


@given(matrix=matrices, seed=st.integers(0, 1000), of_batch=st.booleans())
def test_pool_items_that_a_user_has_are_marked(matrix, seed, of_batch):
    known = matrix.toarray() > 0
    drawing = Drawing(batch_size=5, pool_size=8, of_batch=of_batch)

    for batch in sampler_of(matrix, seed).batches(drawing):
        pool, users = batch.pool, batch.users
        assert (users[pool.firsts[pool.owners]] == users).all()
        assert len(users.unique()) == len(pool.firsts)
        seen = known[users.numpy()][:, batch.negatives.numpy()]
        np.testing.assert_array_equal(pool.seen[pool.owners], seen)
        if of_batch:
            assert set(batch.negatives.tolist()) == set(batch.positives.tolist())


def test_an_item_of_the_pool_weighs_as_often_as_it_is_drawn():
    matrix = sparse.csr_matrix(np.eye(6, 4, dtype=np.float32) + np.eye(6, 4, -2, np.float32))
    plain = {"batch_size": 8, "pool_size": 20, "corrects": False}

    (drawn,) = sampler_of(matrix).batches(Drawing(**plain))
    (own,) = sampler_of(matrix).batches(Drawing(**plain, of_batch=True))

    assert drawn.pool.log_weights.exp().sum() == pytest.approx(20)
    degrees = np.asarray(matrix.sum(axis=0)).ravel()[own.negatives.numpy()]
    np.testing.assert_allclose(own.pool.log_weights.exp(), degrees, rtol=1e-6)


@pytest.mark.parametrize("kind", ["uniform", "popularity"])
def test_corrected_weights_stand_for_all_items(kind):
    """The pool's expected weight is 1 for each item, however often the item is drawn."""
    chances = chances_of(kind, np.array([1.0, 8.0, 27.0]))
    sampler = Sampler(np.array([0, 1]), np.zeros(1, np.int32), 3, chances)
    totals, n = np.zeros(3), 2000

    for _ in range(n):
        (batch,) = sampler.batches(Drawing(batch_size=4, pool_size=5))
        totals[batch.negatives.numpy()] += batch.pool.log_weights.exp().numpy()

    np.testing.assert_allclose(totals / n, 1, atol=0.12)


def test_draws_do_not_depend_on_how_many_batches_are_drawn_at_a_time(monkeypatch):
    matrix = sparse.random(30, 20, 0.2, random_state=1, format="csr", dtype=np.float32)
    drawing = Drawing(batch_size=8, pool_size=6, of_batch=True)
    whole = list(sampler_of(matrix).batches(drawing))

    monkeypatch.setattr("interest_graph.train.kernels.negative_sampling.DRAWS_AT_A_TIME", 20)
    parts = list(sampler_of(matrix).batches(drawing))

    assert drawing.batches_at_a_time == 2
    assert len(whole) == len(parts) > 4
    for one, other in zip(whole, parts, strict=True):
        torch.testing.assert_close(one.negatives, other.negatives)
        torch.testing.assert_close(vars(one.pool), vars(other.pool))


def test_the_same_seed_draws_the_same():
    matrix = sparse.random(30, 20, 0.2, random_state=1, format="csr", dtype=np.float32)

    first, again, other = (np.concatenate(draw(matrix, seed)) for seed in (3, 3, 4))

    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_slices_cover_everything_in_order():
    values = np.arange(7)

    parts = [values[part] for part in slices(7, 3)]

    assert [len(part) for part in parts] == [3, 3, 1]
    np.testing.assert_array_equal(np.concatenate(parts), values)


def sampler_of(matrix, seed=0):
    return Sampler(matrix.indptr.astype(np.int64), matrix.indices, matrix.shape[1], seed=seed)


def draw(matrix, seed):
    sampler = sampler_of(matrix, seed)
    users, positives = sampler.edges(batch_size=7)
    return users.numpy(), positives.numpy(), sampler.negatives(users).numpy()
