"""The item side of a model: packed by block for the tasks that rank, and read there as arrays."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import reduce

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from scipy.sparse import csr_array

from interest_graph.recommend.packed import (
    PACKED_COLUMNS,
    blocks_of,
    codes_in,
    encoded,
    gathered,
    pack,
    pack_table,
    positions_in,
    sorted_texts,
)
from interest_graph.recommend.ranking import ItemState

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

    item_vectors: key, vector; item_weights: src, dst, weight. An item's block has its vector and
    the weights of which it is dst. The rows named SOURCES are items that are src of weights.
    """
    packed = []
    if item_vectors is not None:
        vector = F.col("vector").cast("array<float>").alias("vector")
        rows = item_vectors.select("key", vector, *blocks_of(n_blocks, block="key"))
        packed.append(pack(rows, VECTORS))
    if item_weights is not None:
        weight = F.col("weight").cast("float").alias("weight")
        blocks = blocks_of(n_blocks, block="dst", source_block="src")
        rows = item_weights.select("src", "dst", weight, *blocks)
        packed.append(rows.mapInArrow(pack_weights, PACKED_COLUMNS))
    return reduce(DataFrame.unionByName, packed) if packed else None


def pack_weights(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Pack weights by the block of dst, and every src once by its own block.

    batches: src, dst, weight and, with several blocks, block and source_block.
    """
    for table in map(encoded, gathered(batches)):
        codes, sources = codes_in(table, "src")
        blocks = np.zeros(len(sources), dtype=np.int32)
        if "source_block" in table.column_names:
            blocks[codes] = table.column("source_block").to_numpy()
            table = table.drop_columns("source_block")
        yield from pack_table(table, WEIGHTS)
        yield from pack_table(pa.table({"key": sources, "block": blocks}), SOURCES)


def read_catalogue(
    tables: Mapping[str, pa.Table], *, is_weighted: bool, is_whole: bool
) -> Catalogue:
    """The catalogue of one block from its unpacked tables, by name.

    is_weighted: whether the model has item weights, in this block or another.
    """
    item_ids = sorted_texts(_ids(tables, {VECTORS: "key", SOURCES: "key", WEIGHTS: "dst"}))
    sources = _ids(tables, {WEIGHTS: "src"})
    known_ids = item_ids if is_whole else sorted_texts([item_ids, *sources])
    columns = None if is_whole else positions_in(item_ids, known_ids)
    vectors = _read_vectors(tables[VECTORS], item_ids) if VECTORS in tables else None
    weights = _read_weights(tables[WEIGHTS], known_ids, item_ids) if WEIGHTS in tables else None
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


def _ids(tables: Mapping[str, pa.Table], columns: Mapping[str, str]) -> list[pa.StringArray]:
    """The distinct texts in one column of each table that is there."""
    return [codes_in(tables[name], of)[1] for name, of in columns.items() if name in tables]


def _read_vectors(table: pa.Table, item_ids: pa.StringArray) -> NDArray[np.float32]:
    """float32[n_items, dimension]; zeros for items that have weights alone."""
    codes, keys = codes_in(table, "key")
    values = table.column("vector").chunk(0).flatten().to_numpy()
    given = values.reshape(len(codes), -1)
    matrix = np.zeros((len(item_ids), given.shape[1]), dtype=np.float32)
    matrix[positions_in(item_ids, keys)[codes]] = given
    return matrix


def _read_weights(
    table: pa.Table, known_ids: pa.StringArray, item_ids: pa.StringArray
) -> csr_array | NDArray[np.float32]:
    """float32[n_known, n_items]; dense where the sparse form would be slower."""
    (src, sources), (dst, targets) = codes_in(table, "src"), codes_in(table, "dst")
    places = (positions_in(known_ids, sources)[src], positions_in(item_ids, targets)[dst])
    shape = (len(known_ids), len(item_ids))
    weights = table.column("weight").chunk(0).to_numpy()
    matrix = csr_array((weights, places), shape=shape)
    return matrix.toarray() if matrix.nnz > _DENSE_FROM * shape[0] * shape[1] else matrix
