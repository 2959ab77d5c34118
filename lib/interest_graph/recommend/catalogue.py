"""The item side of a model: packed by block for the tasks that rank, and read there as arrays."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial, reduce

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from scipy.sparse import csr_array

from interest_graph.item_weights import as_blocks
from interest_graph.recommend.packed import (
    PACKED_COLUMNS,
    codes_in,
    gathered,
    pack_table,
    packed_row,
    sorted_texts,
)
from interest_graph.recommend.ranking import ItemState
from interest_graph.weight_blocks import (
    WeightBlock,
    blocks_of_table,
    matrix_of,
    parts_of,
    positions_in,
    read_blocks,
    split_by_dst,
    write_blocks,
)

VECTORS, WEIGHTS, SOURCES = "vectors", "weights", "sources"

# A product with a dense matrix needs no column search: worth the memory above this density.
_DENSE_FROM = 0.125


@dataclass(frozen=True)
class Catalogue:
    """The items of one block, which can be recommended, and what scores them.

    known_ids: the block's items and those whose weights speak for them, ordered by id: the columns
    of a history matrix; item_ids: the block's items, ordered by id; is_whole: no other block is.
    """

    known_ids: pa.StringArray
    item_ids: pa.StringArray
    state: ItemState
    is_weighted: bool
    is_whole: bool


def pack_items(
    item_vectors: DataFrame | None, item_weights: DataFrame | None, n_blocks: int
) -> DataFrame | None:
    """The item side of a model as PACKED_COLUMNS; None without any.

    item_vectors: key, vector; item_weights: blocks, or rows of src, dst, weight. An item's block
    has its vector and the weights of which it is dst, chosen by a hash of its id. The rows named
    SOURCES are items that are src of weights.
    """
    packed = []
    if item_vectors is not None:
        vector = F.col("vector").cast("array<float>").alias("vector")
        rows = item_vectors.select("key", vector)
        packed.append(rows.mapInArrow(partial(pack_vectors, n_blocks), PACKED_COLUMNS))
    if item_weights is not None:
        blocks = as_blocks(item_weights)
        packed.append(blocks.mapInArrow(partial(pack_weights, n_blocks), PACKED_COLUMNS))
    return reduce(DataFrame.unionByName, packed) if packed else None


def pack_vectors(n_blocks: int, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Pack rows of key, vector by the block of the item."""
    for table in gathered(batches):
        keys = table.column("key").combine_chunks()
        blocks = pa.array(_blocks_of(keys, n_blocks))
        yield from pack_table(table.append_column("block", blocks), VECTORS)


def pack_weights(n_blocks: int, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Pack weights by the block of dst, and every src once by its own block.

    batches: rows of weight_blocks.BLOCK_COLUMNS.
    """
    for batch in batches:
        streams = batch.column("data")
        for stream, weights in zip(streams, read_blocks([batch]), strict=True):
            if n_blocks == 1:
                yield packed_row(WEIGHTS, stream.as_buffer(), 0)
            else:
                for number, piece in split_by_dst(weights, n_blocks):
                    for row in write_blocks(piece):
                        yield packed_row(WEIGHTS, row.column("data")[0].as_buffer(), number)
            sources = weights.src_ids
            named = {"key": sources, "block": _blocks_of(sources, n_blocks)}
            yield from pack_table(pa.table(named), SOURCES)


def read_catalogue(
    tables: Mapping[str, pa.Table], *, is_weighted: bool, is_whole: bool
) -> Catalogue:
    """The catalogue of one block from its unpacked tables, by name.

    is_weighted: whether the model has item weights, in this block or another.
    """
    blocks = list(blocks_of_table(tables[WEIGHTS])) if WEIGHTS in tables else []
    keys = [codes_in(tables[name], "key")[1] for name in (VECTORS, SOURCES) if name in tables]
    item_ids = sorted_texts([*keys, *(block.dst_ids for block in blocks)])
    sources = [block.src_ids for block in blocks]
    known_ids = item_ids if is_whole else sorted_texts([item_ids, *sources])
    columns = None if is_whole else positions_in(item_ids, known_ids)
    vectors = _read_vectors(tables[VECTORS], item_ids) if VECTORS in tables else None
    weights = _read_weights(blocks, known_ids, item_ids) if blocks else None
    state = ItemState(len(item_ids), vectors, weights, columns)
    return Catalogue(known_ids, item_ids, state, is_weighted, is_whole)


def history_matrix(batch: pa.RecordBatch, known_ids: pa.StringArray) -> csr_array:
    """r, float32[n_users, n_known], of an Arrow batch with lists `items` and `weights`.

    Items that are not known are left out; a user without lists has an empty row.
    """
    items = batch.column("items")
    lengths = items.value_lengths().fill_null(0).to_numpy(zero_copy_only=False)
    rows = np.repeat(np.arange(batch.num_rows), lengths)
    columns = positions_in(known_ids, items.flatten())
    weights = batch.column("weights").flatten().to_numpy(zero_copy_only=False)
    known = columns >= 0
    entries = (weights[known].astype(np.float32), (rows[known], columns[known]))
    return csr_array(entries, shape=(batch.num_rows, len(known_ids)))


def _blocks_of(item_ids: pa.StringArray, n_blocks: int) -> NDArray[np.int32]:
    """The block of each item."""
    if n_blocks == 1:
        return np.zeros(len(item_ids), dtype=np.int32)
    return parts_of(item_ids, n_blocks)


def _read_vectors(table: pa.Table, item_ids: pa.StringArray) -> NDArray[np.float32]:
    """float32[n_items, dimension]; zeros for items that have weights alone."""
    codes, keys = codes_in(table, "key")
    values = table.column("vector").chunk(0).flatten().to_numpy()
    given = values.reshape(len(codes), -1)
    matrix = np.zeros((len(item_ids), given.shape[1]), dtype=np.float32)
    matrix[positions_in(item_ids, keys)[codes]] = given
    return matrix


def _read_weights(
    blocks: Iterable[WeightBlock], known_ids: pa.StringArray, item_ids: pa.StringArray
) -> csr_array | NDArray[np.float32]:
    """float32[n_known, n_items]; dense where the sparse form would be slower."""
    matrix = csr_array(matrix_of(blocks, known_ids, item_ids))
    is_dense = matrix.nnz > _DENSE_FROM * len(known_ids) * len(item_ids)
    return matrix.toarray() if is_dense else matrix
