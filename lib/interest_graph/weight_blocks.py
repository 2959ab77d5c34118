"""Item-item weights as blocks: bytes that hold a CSR matrix and the ids of its rows and columns.

A block is an Arrow stream of one row: `src_ids`, `dst_ids` (lists of texts), `indptr`, `indices`
and `weights` (lists of numbers). Ids are kept once a block, and reading copies nothing. The weights
W of a model are the sum of its blocks, of which each holds other pairs of items. No Spark here.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from scipy import sparse

BLOCK_COLUMNS = "n_weights BIGINT NOT NULL, data BINARY NOT NULL"
ROW_COLUMNS = "src STRING NOT NULL, dst STRING NOT NULL, weight FLOAT NOT NULL"
_SCHEMA = pa.schema([("n_weights", pa.int64()), ("data", pa.binary())])

# Large enough for ids to weigh little, small enough for many in one Arrow batch of at most 2 GiB.
BLOCK_BYTES = 8 * 2**20
# A weight takes 8 bytes, its number and its column; what this leaves is room for ids.
_WEIGHTS_PER_BLOCK = 700_000
_ROWS_PER_BATCH = 200_000

Positions = npt.NDArray[np.int64]


@dataclass(frozen=True)
class WeightBlock:
    """Some of the weights of a model. matrix: float32 [src_ids, dst_ids]; [j, i] is W_ji.

    Ids are distinct; each has a weight once the block has been written and read.
    """

    src_ids: pa.StringArray
    dst_ids: pa.StringArray
    matrix: sparse.csr_matrix


def write_blocks(block: WeightBlock) -> Iterator[pa.RecordBatch]:
    """BLOCK_COLUMNS with these weights, in as many rows as keep each below BLOCK_BYTES.

    Ids without a weight are left out; weights of 0 are kept. A single weight is written however
    long its two ids are.
    """
    for start in range(0, block.matrix.nnz, _WEIGHTS_PER_BLOCK):
        yield from _written(block, start, min(start + _WEIGHTS_PER_BLOCK, block.matrix.nnz))


def read_blocks(batches: Iterable[pa.RecordBatch]) -> Iterator[WeightBlock]:
    """The blocks in rows of BLOCK_COLUMNS; their arrays are views of the rows."""
    for batch in batches:
        yield from blocks_in(value.as_buffer() for value in batch.column("data"))


def blocks_in(streams: Iterable[pa.Buffer]) -> Iterator[WeightBlock]:
    """The blocks in these values of the column `data`."""
    for stream in streams:
        yield from blocks_of_table(pa.ipc.open_stream(stream).read_all())


def blocks_of_table(table: pa.Table) -> Iterator[WeightBlock]:
    """The blocks in the rows of tables that have been read from streams."""
    for batch in table.to_batches():
        for row in range(batch.num_rows):
            lists = {name: batch.column(name)[row].values for name in batch.schema.names}
            names = ("weights", "indices", "indptr")
            parts = tuple(lists[name].to_numpy() for name in names)
            shape = (len(lists["src_ids"]), len(lists["dst_ids"]))
            matrix = sparse.csr_matrix(parts, shape=shape, copy=False)
            yield WeightBlock(lists["src_ids"], lists["dst_ids"], matrix)


def matrix_of(
    blocks: Iterable[WeightBlock],
    src_ids: pa.StringArray,
    dst_ids: pa.StringArray,
    dtype: npt.DTypeLike = np.float32,
) -> sparse.csr_matrix:
    """The sum of the blocks: `dtype` [src_ids, dst_ids]; weights of other items are left out."""
    rows, columns, weights = [], [], []
    for block in blocks:
        row = positions_in(src_ids, block.src_ids)[_owners(block.matrix)]
        column = positions_in(dst_ids, block.dst_ids)[block.matrix.indices]
        known = (row >= 0) & (column >= 0)
        rows.append(row[known].astype(np.int32))
        columns.append(column[known].astype(np.int32))
        weights.append(block.matrix.data[known].astype(dtype, copy=False))
    shape = (len(src_ids), len(dst_ids))
    if not weights:
        return sparse.csr_matrix(shape, dtype=dtype)
    places = (np.concatenate(rows), np.concatenate(columns))
    return sparse.csr_matrix((np.concatenate(weights), places), shape=shape)


def summed(blocks: Sequence[WeightBlock]) -> WeightBlock:
    """The sum of blocks, of any items, as one block; added in float64."""
    src_ids, dst_ids = (
        _distinct([getattr(block, end) for block in blocks]) for end in ("src_ids", "dst_ids")
    )
    matrix = matrix_of(blocks, src_ids, dst_ids, np.float64)
    return WeightBlock(src_ids, dst_ids, matrix.astype(np.float32))


def scaled(block: WeightBlock, factor: float) -> WeightBlock:
    """The weights times a number, rounded to float32."""
    old = block.matrix
    weights = (old.data.astype(np.float64) * factor).astype(np.float32)
    matrix = sparse.csr_matrix((weights, old.indices, old.indptr), shape=old.shape)
    return WeightBlock(block.src_ids, block.dst_ids, matrix)


def split_by_dst(block: WeightBlock, n_parts: int) -> Iterator[tuple[int, WeightBlock]]:
    """(part, the weights whose dst is of that part) for each part that has any."""
    if n_parts == 1:
        yield 0, block
        return
    matrix = block.matrix
    parts = parts_of(block.dst_ids, n_parts)[matrix.indices]
    order = np.argsort(parts, kind="stable")
    ends = np.cumsum(np.bincount(parts, minlength=n_parts))
    cells = [values[order] for values in (matrix.data, _owners(matrix), matrix.indices)]
    for part, (start, end) in enumerate(zip(np.r_[0, ends[:-1]], ends, strict=True)):
        if start < end:
            weights, rows, columns = (values[start:end] for values in cells)
            piece = sparse.csr_matrix((weights, (rows, columns)), shape=matrix.shape)
            yield part, WeightBlock(block.src_ids, block.dst_ids, piece)


def parts_of(ids: pa.StringArray, n_parts: int) -> npt.NDArray[np.int32]:
    """Part of each item, from 0: by a hash of its id, the same wherever the item is met."""
    hashes = (zlib.crc32(text.encode()) for text in ids.to_pylist())
    return (np.fromiter(hashes, np.uint32, len(ids)) % n_parts).astype(np.int32)


def blocks_of_rows(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """BLOCK_COLUMNS from rows of src, dst, weight, in any order."""
    waiting: list[pa.RecordBatch] = []
    for batch in batches:
        waiting.append(batch.select(["src", "dst", "weight"]))
        if sum(each.num_rows for each in waiting) >= _WEIGHTS_PER_BLOCK:
            yield from write_blocks(_block_of(waiting))
            waiting = []
    if any(batch.num_rows for batch in waiting):
        yield from write_blocks(_block_of(waiting))


def rows_of_blocks(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """ROW_COLUMNS from rows of BLOCK_COLUMNS, in bounded batches."""
    for block in read_blocks(batches):
        owners = _owners(block.matrix)
        for start in range(0, len(owners), _ROWS_PER_BATCH):
            part = slice(start, start + _ROWS_PER_BATCH)
            columns = [
                block.src_ids.take(pa.array(owners[part])),
                block.dst_ids.take(pa.array(block.matrix.indices[part])),
                pa.array(block.matrix.data[part]),
            ]
            yield pa.RecordBatch.from_arrays(columns, names=["src", "dst", "weight"])


def positions_in(known: pa.StringArray, ids: pa.StringArray | pa.ChunkedArray) -> Positions:
    """Position of each id among the known ones, -1 where it is not there."""
    found = pc.fill_null(pc.index_in(ids, value_set=known), -1)
    return np.asarray(found.to_numpy(zero_copy_only=False), dtype=np.int64)


def _written(block: WeightBlock, start: int, end: int) -> Iterator[pa.RecordBatch]:
    """The weights from start to end in the order of the matrix, halved until they fit."""
    stream = _stream_of(block, start, end)
    if stream.size > BLOCK_BYTES and end - start > 1:
        middle = (start + end) // 2
        yield from _written(block, start, middle)
        yield from _written(block, middle, end)
        return
    columns = [pa.array([end - start], pa.int64()), pa.array([stream.to_pybytes()], pa.binary())]
    yield pa.RecordBatch.from_arrays(columns, schema=_SCHEMA)


def _stream_of(block: WeightBlock, start: int, end: int) -> pa.Buffer:
    """One row with the weights from start to end, and the ids that they use."""
    lengths = np.diff(np.clip(block.matrix.indptr, start, end))
    src = np.flatnonzero(lengths)
    columns = block.matrix.indices[start:end]
    is_used = np.zeros(len(block.dst_ids), dtype=bool)
    is_used[columns] = True
    indices = (np.cumsum(is_used) - 1)[columns]
    lists = {
        "src_ids": block.src_ids.take(pa.array(src)),
        "dst_ids": block.dst_ids.take(pa.array(np.flatnonzero(is_used))),
        "indptr": pa.array(np.r_[0, np.cumsum(lengths[src])].astype(np.int32)),
        "indices": pa.array(indices.astype(np.int32)),
        "weights": pa.array(block.matrix.data[start:end].astype(np.float32, copy=False)),
    }
    one_row = [
        pa.ListArray.from_arrays(pa.array([0, len(values)], pa.int32()), values)
        for values in lists.values()
    ]
    table, sink = pa.table(one_row, list(lists)), pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def _block_of(batches: Sequence[pa.RecordBatch]) -> WeightBlock:
    table = pa.Table.from_batches(batches)
    ends = [table.column(name).combine_chunks().dictionary_encode() for name in ("src", "dst")]
    src, dst = (end if isinstance(end, pa.DictionaryArray) else end.chunk(0) for end in ends)
    weights = table.column("weight").to_numpy().astype(np.float32)
    places = (src.indices.to_numpy(), dst.indices.to_numpy())
    shape = (len(src.dictionary), len(dst.dictionary))
    matrix = sparse.csr_matrix((weights, places), shape=shape)
    return WeightBlock(src.dictionary, dst.dictionary, matrix)


def _owners(matrix: sparse.csr_matrix) -> Positions:
    """The row of each weight, in the order of matrix.data."""
    return np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))


def _distinct(ids: Sequence[pa.StringArray]) -> pa.StringArray:
    """The distinct ones of all these ids, ascending."""
    return pc.unique(pa.chunked_array(ids, pa.string())).sort()
