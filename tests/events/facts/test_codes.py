"""Ranks of texts, and orders by several columns."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from interest_graph.events.facts.codes import (
    encoded,
    in_longer_runs,
    order_by,
    ranked,
    ranks,
    starts_of_runs,
)

NARROW = st.integers(0, 3)
WIDE = st.integers(-(2**61), 2**61)
FULL = st.sampled_from([-(2**63), -1, 0, 1, 2**63 - 1])
ROWS = st.lists(st.sampled_from([NARROW, WIDE, FULL]), min_size=1, max_size=5).flatmap(
    lambda kinds: st.lists(st.tuples(*kinds), max_size=30)
)
TEXTS = st.lists(st.sampled_from(["", "a", "b", "ab", "é", "z", "\U0001f600", "\uffff"]))


@given(ROWS)
def test_rows_are_ordered_by_all_columns_however_wide(rows):
    keys = [np.array(column, np.int64) for column in zip(*rows, strict=True)]

    order = order_by(*keys) if rows else order_by(np.empty(0, np.int64), np.empty(0, np.int32))

    assert [rows[n] for n in order] == sorted(rows)
    assert sorted(order.tolist()) == list(range(len(rows)))


def test_codes_of_narrow_types_do_not_wrap_round():
    high = np.array([2**31 - 1, -(2**31), 0], np.int32)

    assert order_by(high, high, high).tolist() == [1, 2, 0]


@given(TEXTS, st.integers(1, 5), st.booleans())
def test_ranks_sort_as_bytes_do(texts, chunk, is_coded):
    chunks = [pa.array(texts[n : n + chunk], pa.string()) for n in range(0, len(texts), chunk)]
    chunks = [chunk.dictionary_encode() if is_coded else chunk for chunk in chunks]
    column = pa.chunked_array(chunks) if chunks else pa.chunked_array([], pa.string())

    found = ranked(column, "x")

    distinct = sorted(set(texts), key=str.encode)
    assert found.texts.to_pylist() == distinct
    assert found.codes.tolist() == [distinct.index(text) for text in texts]


@pytest.mark.parametrize(
    "column",
    [
        pa.array(["b", None, "a", "b"]),
        pa.array(["b", None, "a", "b"]).dictionary_encode(),
        pa.DictionaryArray.from_arrays(pa.array([0, 1, 2, 3]), pa.array(["b", None, "a", "b"])),
        pa.DictionaryArray.from_arrays(pa.array([1, None, 0, 1], pa.int8()), pa.array(["a", "b"])),
    ],
)
def test_null_has_no_code_and_the_last_rank(column):
    codes, texts = encoded(pa.chunked_array([column]))

    assert [None if code < 0 else texts[code].as_py() for code in codes] == ["b", None, "a", "b"]
    assert ranks(pa.chunked_array([column])).tolist() == [1, 2, 0, 1]


def test_a_column_of_some_rows_holds_their_texts_alone():
    coded = ranked(pa.chunked_array([pa.array(["d", "b", "a", "c"])]), "user_id")

    column = coded.column(np.array([0, 1, 0]))

    assert column.dictionary.to_pylist() == ["b", "d"]
    assert column.to_pylist() == ["d", "b", "d"]


def test_runs_start_where_any_column_changes():
    starts = starts_of_runs(np.array([1, 1, 1, 2, 2]), np.array([5, 5, 6, 6, 6]))

    assert starts.tolist() == [True, False, True, True, False]
    assert in_longer_runs(starts).tolist() == [True, True, False, True, True]
    assert in_longer_runs(np.empty(0, bool)).tolist() == []
