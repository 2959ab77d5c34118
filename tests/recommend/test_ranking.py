"""The ranking kernel against a brute-force reference."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.sparse import csr_array

from interest_graph.recommend import ranking
from interest_graph.recommend.ranking import (
    ItemState,
    best_of_rows,
    rank_items,
    ranks_within,
    score_items,
)

SHAPES = st.tuples(st.integers(1, 6), st.integers(1, 9))
# Few distinct values: most rows have ties at the k-th place; -inf stands for seen items.
TIED = st.sampled_from([-np.inf, -1.0, 0.0, 0.5, 2.0])


def brute_force(scores: np.ndarray, k: int) -> list[tuple[int, int]]:
    """(row, column) of each row's k best by sorting whole rows in Python."""
    pairs = []
    for row, values in enumerate(scores):
        order = sorted(range(len(values)), key=lambda i: (-values[i], i))
        pairs += [(row, i) for i in order[:k] if values[i] > -np.inf]
    return pairs


@given(SHAPES.flatmap(lambda shape: arrays(np.float32, shape, elements=TIED)), st.integers(1, 12))
@settings(max_examples=400, deadline=None)
def test_best_of_rows_equals_a_full_sort(scores, k):
    rows, columns = best_of_rows(scores, k)

    assert list(zip(rows, columns, strict=True)) == brute_force(scores, k)


@given(
    arrays(np.float32, (4, 7), elements=st.sampled_from([0.0, 0.0, 1.0, 2.5])),
    arrays(np.float32, (4, 3), elements=st.sampled_from([-1.0, 0.0, 0.5])),
    arrays(np.float32, (7, 3), elements=st.sampled_from([-1.0, 0.0, 0.5])),
    arrays(np.float32, (7, 7), elements=st.sampled_from([0.0, 0.0, -0.5, 1.0])),
    st.booleans(),
)
@settings(max_examples=200, deadline=None)
def test_scores_are_inner_product_plus_item_weights(history, users, vectors, weights, is_sparse):
    items = ItemState(7, vectors, csr_array(weights) if is_sparse else weights)

    scores = score_items(csr_array(history), users, items)

    expected = users @ vectors.T + history @ weights
    expected[history > 0] = -np.inf
    np.testing.assert_allclose(scores, expected, rtol=1e-6)


@pytest.mark.parametrize("block_bytes", [1, 4 * 50 * 3, 2**20])
def test_rank_items_is_the_same_in_blocks_of_any_size(monkeypatch, block_bytes):
    rng = np.random.default_rng(7)
    history = csr_array((rng.random((20, 50)) < 0.1).astype(np.float32))
    # Whole numbers: sums are exact whatever the order of addition.
    users = rng.integers(-3, 4, (20, 8)).astype(np.float32)
    items = ItemState(50, rng.integers(-3, 4, (50, 8)).astype(np.float32))
    monkeypatch.setattr(ranking, "_BLOCK_BYTES", block_bytes)

    rows, columns, scores = rank_items(history, users, items, k=5)

    full = score_items(history, users, items)
    assert list(zip(rows, columns, strict=True)) == brute_force(full, 5)
    np.testing.assert_array_equal(scores, full[rows, columns])


def test_a_user_who_has_seen_all_items_gets_none():
    history = csr_array(np.array([[1, 1], [0, 1]], dtype=np.float32))

    rows, columns, _ = rank_items(history, None, ItemState(2, weights=csr_array((2, 2))), k=3)

    assert (rows.tolist(), columns.tolist()) == ([1], [0])


@pytest.mark.parametrize("shape", [(0, 3), (3, 0)])
def test_no_users_or_no_items_give_no_rows(shape):
    nothing = csr_array(shape, dtype=np.float32)

    rows, columns, scores = rank_items(nothing, None, ItemState(shape[1]), k=2)

    assert len(rows) == len(columns) == len(scores) == 0


def test_ranks_start_from_one_in_each_row():
    assert ranks_within(np.array([0, 0, 0, 2, 5, 5])).tolist() == [1, 2, 3, 1, 1, 2]
