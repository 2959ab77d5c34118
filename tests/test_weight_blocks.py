"""Blocks of item-item weights: written, read, split and summed; no Spark."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from scipy import sparse

from interest_graph import weight_blocks
from interest_graph.weight_blocks import (
    WeightBlock,
    blocks_of_rows,
    matrix_of,
    parts_of,
    read_blocks,
    rows_of_blocks,
    scaled,
    split_by_dst,
    summed,
    write_blocks,
)

N_SRC, N_DST = 40, 30
SRC_IDS = pa.array([f"ü{n:02d}" for n in range(N_SRC)])
DST_IDS = pa.array([f"i{n:02d}" for n in range(N_DST)])


def random_block(seed=1, density=0.3, src_ids=SRC_IDS, dst_ids=DST_IDS):
    matrix = sparse.random(N_SRC, N_DST, density, "csr", np.float32, rng=seed)
    return WeightBlock(src_ids, dst_ids, matrix)


def dense(blocks, src_ids=SRC_IDS, dst_ids=DST_IDS):
    return matrix_of(blocks, src_ids, dst_ids).toarray()


def rows_in(batches):
    return [tuple(row.values()) for batch in batches for row in batch.to_pylist()]


def test_what_is_written_is_read():
    block = random_block()

    (read,) = read_blocks(write_blocks(block))

    np.testing.assert_array_equal(dense([read]), block.matrix.toarray())
    assert read.matrix.dtype == np.float32


def test_ids_without_a_weight_are_left_out_and_weights_of_zero_kept():
    cells = ([0.0, 2.0], ([3, 3], [5, 7]))
    matrix = sparse.csr_matrix(cells, shape=(N_SRC, N_DST), dtype=np.float32)

    (read,) = read_blocks(write_blocks(WeightBlock(SRC_IDS, DST_IDS, matrix)))

    assert read.src_ids.to_pylist() == ["ü03"]
    assert read.dst_ids.to_pylist() == ["i05", "i07"]
    assert read.matrix.data.tolist() == [0.0, 2.0]


@pytest.mark.parametrize(("n_bytes", "n_weights"), [(2_000, 700_000), (2**20, 50)])
def test_blocks_are_bounded_in_bytes_and_in_weights(monkeypatch, n_bytes, n_weights):
    monkeypatch.setattr(weight_blocks, "BLOCK_BYTES", n_bytes)
    monkeypatch.setattr(weight_blocks, "_WEIGHTS_PER_BLOCK", n_weights)
    block = random_block()

    batches = list(write_blocks(block))

    assert len(batches) > 4
    assert all(len(batch["data"][0].as_buffer()) <= n_bytes for batch in batches)
    counts = [batch["n_weights"][0].as_py() for batch in batches]
    assert max(counts) <= n_weights
    assert sum(counts) == block.matrix.nnz
    np.testing.assert_array_equal(dense(read_blocks(batches)), block.matrix.toarray())


def test_ids_of_any_length_make_blocks_smaller_not_larger(monkeypatch):
    monkeypatch.setattr(weight_blocks, "BLOCK_BYTES", 10_000)
    long_ids = pa.array([f"{n:02d}" * 800 for n in range(N_DST)])

    batches = list(write_blocks(random_block(dst_ids=long_ids)))

    assert all(len(batch["data"][0].as_buffer()) <= 10_000 for batch in batches)
    assert dense(read_blocks(batches), dst_ids=long_ids).any()


def test_no_weights_are_no_blocks():
    nothing = WeightBlock(SRC_IDS, DST_IDS, sparse.csr_matrix((N_SRC, N_DST), dtype=np.float32))

    assert list(write_blocks(nothing)) == []
    assert dense([]).shape == (N_SRC, N_DST)


def test_rows_become_blocks_and_blocks_rows(monkeypatch):
    monkeypatch.setattr(weight_blocks, "_WEIGHTS_PER_BLOCK", 3)
    rows = [(f"s{n % 3}", f"d{n % 4}", n / 8) for n in range(11)]
    columns = dict(zip(("src", "dst", "weight"), map(list, zip(*rows, strict=True)), strict=True))
    batches = pa.table(columns).to_batches(max_chunksize=2)

    blocks = list(blocks_of_rows(batches))

    assert len(blocks) > 2
    assert sorted(rows_in(rows_of_blocks(blocks))) == sorted(rows)


def test_a_matrix_leaves_out_weights_of_other_items():
    block = random_block()

    found = matrix_of([block], SRC_IDS[5:8], pa.array(["i03", "other", "i01"]))

    expected = np.zeros((3, 3))
    expected[:, [0, 2]] = block.matrix.toarray()[5:8][:, [3, 1]]
    np.testing.assert_array_equal(found.toarray(), expected)


def test_parts_hold_every_weight_once_and_agree_on_the_items():
    block = random_block()

    parts = dict(split_by_dst(block, 4))

    assert len(parts) > 1
    total = sum(dense([piece]) for piece in parts.values())
    np.testing.assert_array_equal(total, block.matrix.toarray())
    of_item = parts_of(DST_IDS, 4)
    for part, piece in parts.items():
        assert set(of_item[piece.matrix.indices]) == {part}


def test_a_sum_is_that_of_the_matrices_also_where_items_differ():
    other = random_block(2, dst_ids=pa.array([f"i{n + 5:02d}" for n in range(N_DST)]))
    all_dst = pa.array([f"i{n:02d}" for n in range(N_DST + 5)])

    total = summed([scaled(random_block(), 3.0), scaled(other, 0.5)])

    expected = np.zeros((N_SRC, N_DST + 5))
    expected[:, :N_DST] += 3.0 * random_block().matrix.toarray()
    expected[:, 5:] += 0.5 * other.matrix.toarray()
    found = dense([total], dst_ids=all_dst)
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    assert total.matrix.nnz == np.count_nonzero(expected)  # one weight a pair
