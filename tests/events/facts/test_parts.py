"""Parts of users."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from interest_graph.events.facts import split_by_key, split_by_user
from interest_graph.events.facts.parts import hash_texts


def scattered(events, n_users):
    return events(*[(n, {"user_id": f"u{n % n_users}", "event_id": str(n)}) for n in range(500)])


@pytest.mark.parametrize("n_parts", [1, 2, 7, 600, 65_536])
def test_each_event_is_in_one_part_and_each_user_too(events, n_parts):
    table = scattered(events, 90)

    parts = split_by_user(table, n_parts)

    users = [set(part["user_id"].to_pylist()) for part in parts]
    assert len(parts) == n_parts
    assert sum(map(len, users)) == 90
    assert sorted(pa.concat_tables(parts)["event_id"].to_pylist(), key=int) == list(
        map(str, range(500))
    )
    assert all(part["micros"].to_pylist() == sorted(part["micros"].to_pylist()) for part in parts)


def test_a_user_has_the_same_part_in_every_table(events):
    table = scattered(events, 90)
    first, last = (split_by_user(half, 5) for half in (table.slice(0, 200), table.slice(200)))

    where = [
        {user: n for n, part in enumerate(parts) for user in part["user_id"].to_pylist()}
        for parts in (first, last)
    ]

    assert where[0] == where[1]


@pytest.mark.parametrize("n_parts", [1, 7])
def test_rows_of_a_key_of_two_columns_are_in_one_part_whatever_the_table(n_parts):
    names = {"a": ["x", "xy", "hub", "hub"] * 50, "b": ["yz", "z", "1", "2"] * 50}
    whole = pa.table({**names, "n": range(200)})

    parts = [split_by_key(some, ["a", "b"], n_parts) for some in (whole, whole.slice(100))]

    keys = [[set(zip(*p.select("ab").to_pydict().values(), strict=True)) for p in q] for q in parts]
    assert keys[0] == keys[1]
    assert sum(map(len, keys[0])) == 4
    assert sorted(pa.concat_tables(parts[0])["n"].to_pylist()) == list(range(200))


def test_parts_of_nothing_are_empty(events):
    assert [len(part) for part in split_by_user(events(), 3)] == [0, 0, 0]


@pytest.mark.parametrize("n_parts", [0, 65_537])
def test_numbers_of_parts_out_of_range_are_refused(events, n_parts):
    with pytest.raises(ValueError, match="not from 1 to 65536"):
        split_by_user(events((0,)), n_parts)


def plain_hash(text):
    terms = [(byte + 1) * 0x100000001B3 ** (n + 1) for n, byte in enumerate(text.encode())]
    value = sum(terms) % 2**64
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        value = ((value ^ (value >> shift)) * factor) % 2**64
    return value ^ (value >> 31)


@given(st.lists(st.text()))
def test_hashes_are_those_of_plain_arithmetic(texts):
    assert hash_texts(pa.array(texts, pa.string())).tolist() == list(map(plain_hash, texts))


def test_hashes_never_change():
    assert hash_texts(pa.array(["a", "ab", "\x00"])).tolist() == [
        11825466261762436790,
        15498951834640936661,
        4227968748054576227,
    ]


def test_hashes_spread_users_evenly_and_do_not_collide():
    texts = pa.array([f"{prefix}{n}" for prefix in ("u", "user-00") for n in range(60_000)])

    hashes = hash_texts(texts)

    sizes = np.bincount((hashes % np.uint64(16)).astype(np.int64))
    assert len(np.unique(hashes)) == len(texts)
    assert abs(sizes / len(texts) * 16 - 1).max() < 0.05
    assert (hash_texts(texts.slice(59_990, 20)) == hashes[59_990:60_010]).all()
