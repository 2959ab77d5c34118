"""Packed rows: split by block, and read again in the partitions of users; no Spark."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from interest_graph.recommend.packed import (
    codes_in,
    gathered,
    pack_table,
    sorted_texts,
    streams_in,
    unpack,
    users_with,
)
from interest_graph.weight_blocks import positions_in


def random_table(n):
    rng = np.random.default_rng(1)
    return pa.table(
        {
            "item_id": [f"ü{i}" for i in rng.integers(0, 20, n)],
            "weight": pa.array(rng.random(n), pa.float32()),
            "block": pa.array(rng.integers(0, 4, n), pa.int32()),
            "user_group": pa.array(rng.integers(0, 2, n), pa.int32()),
        }
    )


def test_packed_rows_hold_the_rows_of_one_block_and_group_in_their_order():
    table = random_table(500)

    found = {}
    for packed in pack_table(table, "edges"):
        ((group, name, stream),) = streams_in(packed)
        rows = unpack({name: [stream]})["edges"]
        texts = rows.column("item_id").chunk(0).dictionary_decode()
        pairs = list(zip(texts.to_pylist(), rows.column("weight").to_pylist(), strict=True))
        found[packed["block"][0].as_py(), group] = pairs

    expected = {}
    for item, weight, block, group in zip(*table.to_pydict().values(), strict=True):
        expected.setdefault((block, group), []).append((item, weight))
    assert found == expected


def test_texts_of_several_packed_rows_are_unpacked_into_one_dictionary():
    halves = [random_table(40).slice(0, 20), random_table(40).slice(20, 20)]
    packed = [row for half in halves for row in pack_table(half.select(["item_id"]), "ids")]

    table = unpack({"ids": [stream for row in packed for _, _, stream in streams_in(row)]})["ids"]

    codes, texts = codes_in(table, "item_id")
    wanted = random_table(40).column("item_id").to_pylist()
    assert texts.take(pa.array(codes)).to_pylist() == wanted
    assert sorted(texts.to_pylist()) == sorted(set(wanted))


def test_texts_are_ordered_by_their_bytes_and_found_by_position():
    texts = sorted_texts([pa.array(["b", "ü", "B"]), pa.array(["b", "z"])])

    assert texts.to_pylist() == ["B", "b", "z", "ü"]
    assert positions_in(texts, pa.array(["z", "none", "B"])).tolist() == [2, -1, 0]


def test_batches_are_gathered_and_none_is_lost(monkeypatch):
    monkeypatch.setattr("interest_graph.recommend.packed._PACK_BYTES", 1000)
    batches = random_table(500).to_batches(max_chunksize=30)

    tables = list(gathered(batches))

    assert 5 < len(tables) < len(batches)
    assert pa.concat_tables(tables) == random_table(500)


def test_users_follow_the_packed_rows_of_their_partition_over_any_batches():
    packed = list(pack_table(random_table(50).select(["item_id", "block"]), "ids"))
    nobody = pa.nulls(1, pa.string())
    rows = [pa.record_batch({**row.to_pydict(), "user_id": nobody}) for row in packed]
    users = pa.table({"user_id": ["a", "b", "c"]})
    table = pa.concat_tables(
        [pa.Table.from_batches(rows), users], promote_options="default"
    ).combine_chunks()

    found = list(users_with(table.to_batches(max_chunksize=3), lambda tables: len(tables["ids"])))

    assert [n for n, _ in found] == [50] * len(found)
    assert [user for _, batch in found for user in batch["user_id"].to_pylist()] == ["a", "b", "c"]


def test_no_rows_give_no_packed_rows():
    assert list(pack_table(random_table(5).slice(0, 0), "edges")) == []
