"""The top-k kernel against a plain sort, on values with many ties."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import sparse

from interest_graph.largest import largest_columns, largest_entries, mark_largest

# Few distinct values: nearly every row has ties at the k-th place.
TIED = st.sampled_from([-np.inf, -1.0, -0.0, 0.0, 0.5, 2.0])


def sorted_columns(row, k):
    return sorted(range(len(row)), key=lambda i: (-row[i], i))[:k]


@given(
    st.tuples(st.integers(1, 5), st.integers(1, 12)).flatmap(
        lambda shape: arrays(np.float32, shape, elements=TIED)
    ),
    st.integers(0, 14),
)
@settings(max_examples=400, deadline=None)
def test_columns_equal_a_plain_sort(values, k):
    found = largest_columns(values, k)

    assert found.tolist() == [sorted_columns(row, k) for row in values.tolist()]


@pytest.mark.parametrize("n_values", [1, 2, 9, 10**6])
@pytest.mark.parametrize("k", [1, 3, 40])
def test_wide_rows_equal_a_plain_sort(k, n_values):
    """So wide that columns are taken in groups, some left over; some rows are nearly all -inf."""
    rng = np.random.default_rng(n_values)
    values = rng.integers(n_values, size=(30, 2003)).astype(np.float32)
    values[rng.random(values.shape) < np.linspace(0, 1, 30)[:, None] ** 0.02] = -np.inf

    found = largest_columns(values, k)

    assert found.tolist() == [sorted_columns(row, k) for row in values.tolist()]


def test_nan_is_the_smallest():
    values = np.array([[np.nan, 1.0, np.nan, 3.0, 2.0]])

    assert largest_columns(values, 3).tolist() == [[3, 4, 1]]
    assert largest_columns(values, 5).tolist() == [[3, 4, 1, 0, 2]]


def random_rows(seed, n_values):
    """Rows from empty to 300 entries, columns in no order."""
    rng = np.random.default_rng(seed)
    sizes = np.r_[0, 1, 5, rng.integers(300, size=40), 0]
    columns = np.concatenate([rng.permutation(400)[:size] for size in sizes])
    values = rng.integers(-n_values, n_values + 1, size=sizes.sum()).astype(np.float64)
    return values, columns.astype(np.int32), np.r_[0, np.cumsum(sizes)]


@pytest.mark.parametrize("n_values", [1, 8, 10**6])
@pytest.mark.parametrize("k", [1, 2, 70])
def test_entries_equal_a_plain_sort(k, n_values):
    values, columns, starts = random_rows(k, n_values)
    expected = [
        entry
        for ends in pairwise(starts)
        for entry in sorted(range(*ends), key=lambda e: (-values[e], columns[e]))[:k]
    ]

    found = largest_entries(values, columns, starts, k)
    positive = largest_entries(values, columns, starts, k, above=0)

    assert found.tolist() == expected
    assert positive.tolist() == [entry for entry in expected if values[entry] > 0]
    marked = np.flatnonzero(mark_largest(values, columns, starts, k))
    assert marked.tolist() == sorted(found.tolist())


@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (0, 0)])
def test_no_rows_or_no_columns_give_nothing(shape):
    nothing = sparse.csr_array(shape)
    entries = (nothing.data, nothing.indices, nothing.indptr)

    assert largest_columns(np.empty(shape), 2).shape == (shape[0], min(2, shape[1]))
    assert len(largest_entries(*entries, 2)) == len(mark_largest(*entries, 2)) == 0
