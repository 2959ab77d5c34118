"""Arrays survive becoming rows, in whatever order the rows come back."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from interest_graph.train.distributed import array_codec
from interest_graph.train.distributed.array_codec import pack, rows_per_chunk, unpack

shapes = hnp.array_shapes(min_dims=1, max_dims=2, min_side=0, max_side=50)
kinds = st.sampled_from(["<f4", "<f8", "<i4", "<i8", "|u1"])
arrays = kinds.flatmap(lambda kind: hnp.arrays(kind, shapes.filter(lambda s: s[-1] > 0)))


@given(named=st.dictionaries(st.sampled_from("abc"), arrays, min_size=1), seed=st.integers(0, 99))
def test_shards_come_back_from_shuffled_rows(named, seed):
    rows = pa.Table.from_batches([*pack(7, 0, named), *pack(9, 1, named)])
    order = np.random.default_rng(seed).permutation(rows.num_rows)

    shards = list(unpack(rows.take(order).to_batches(max_chunksize=2)))

    assert [(key, shard_id) for key, shard_id, _ in shards] == [(7, 0), (9, 1)]
    for _, _, found in shards:
        for name, expected in named.items():
            np.testing.assert_array_equal(found[name], expected)
            assert found[name].dtype == expected.dtype


def test_long_arrays_are_cut_into_whole_rows(monkeypatch):
    monkeypatch.setattr(array_codec, "CHUNK_BYTES", 40)
    values = np.arange(30, dtype=np.float32).reshape(10, 3)

    rows = pa.Table.from_batches(list(pack(0, 0, {"values": values})))

    assert rows_per_chunk(values) == 3
    assert rows["chunk"].to_pylist() == [0, 1, 2, 3]
    np.testing.assert_array_equal(next(unpack(rows.to_batches()))[2]["values"], values)


def test_no_rows_are_no_shards():
    assert list(unpack([])) == []
