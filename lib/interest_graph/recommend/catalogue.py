"""The item side of a model as plain arrays: gathered on the driver, read again in workers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pyspark.sql import DataFrame
from scipy.sparse import csr_array

from interest_graph.arrays import pack_texts, unpack_texts
from interest_graph.recommend.ranking import ItemState

Arrays = dict[str, NDArray[Any]]

# A product with a dense matrix needs no column search: worth the memory above this density.
_DENSE_FROM = 0.125


@dataclass(frozen=True)
class Catalogue:
    """The items that can be recommended, ordered by id, and what scores them."""

    item_ids: pa.StringArray
    state: ItemState


def gather_items(item_vectors: DataFrame | None, item_weights: DataFrame | None) -> Arrays:
    """Bring the item side of a model to the driver: it grows with items alone.

    item_vectors: key, vector; item_weights: src, dst, weight. Their items are the catalogue;
    a frame without rows is like none.
    Returns arrays for `read_catalogue`.
    """
    vectors = _collect(item_vectors, "key", "vector")
    weights = _collect(item_weights, "src", "dst", "weight")
    item_ids = _sorted_ids(vectors, weights)
    arrays = {"item_ids": pack_texts(list(item_ids))}
    if vectors is not None:
        arrays["vectors"] = _vectors_in_order(vectors, item_ids)
    if weights is not None:
        arrays |= _pack_weights(weights, item_ids)
    return arrays


def read_catalogue(arrays: Mapping[str, NDArray[Any]]) -> Catalogue:
    """The catalogue behind the arrays of `gather_items`; matrices are not copied."""
    item_ids = pa.array(unpack_texts(arrays["item_ids"]), type=pa.string())
    weights = _read_weights(arrays, len(item_ids))
    return Catalogue(item_ids, ItemState(len(item_ids), arrays.get("vectors"), weights))


def positions_in(known_ids: pa.StringArray, item_ids: pa.Array) -> NDArray[np.intp]:
    """The position of each id among the known ones, -1 where it is not known."""
    found = pc.index_in(item_ids, value_set=known_ids).fill_null(-1)
    positions: NDArray[np.intp] = found.to_numpy(zero_copy_only=False).astype(np.intp)
    return positions


def history_matrix(batch: pa.RecordBatch, known_ids: pa.StringArray) -> csr_array:
    """r, float32[n_users, n_items], of an Arrow batch with lists `items` and `weights`.

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


def _collect(rows: DataFrame | None, *columns: str) -> pd.DataFrame | None:
    """The rows, or None when there are none: a table without rows is an absent half."""
    collected = None if rows is None else rows.select(*columns).toPandas()
    return None if collected is None or collected.empty else collected


def _sorted_ids(vectors: pd.DataFrame | None, weights: pd.DataFrame | None) -> pd.Index:
    columns = [] if vectors is None else [vectors["key"]]
    columns += [] if weights is None else [weights["src"], weights["dst"]]
    known = [pd.unique(column) for column in columns]
    return pd.Index(np.unique(np.concatenate([np.empty(0, dtype=object), *known])))


def _vectors_in_order(vectors: pd.DataFrame, item_ids: pd.Index) -> NDArray[np.float32]:
    """float32[n_items, dimension]; zeros for items that have weights alone."""
    given = np.stack(list(vectors["vector"]))
    matrix = np.zeros((len(item_ids), given.shape[1]), dtype=np.float32)
    matrix[item_ids.get_indexer(pd.Index(vectors["key"]))] = given
    return matrix


def _pack_weights(weights: pd.DataFrame, item_ids: pd.Index) -> Arrays:
    shape = (len(item_ids), len(item_ids))
    places = tuple(item_ids.get_indexer(pd.Index(weights[end])) for end in ("src", "dst"))
    matrix = csr_array((weights["weight"].to_numpy(np.float32), places), shape=shape)
    if matrix.nnz > _DENSE_FROM * len(item_ids) ** 2:
        return {"weights": matrix.toarray()}
    return {
        "weight_data": matrix.data,
        "weight_indices": matrix.indices,
        "weight_indptr": matrix.indptr,
    }


def _read_weights(
    arrays: Mapping[str, NDArray[Any]], n_items: int
) -> csr_array | NDArray[np.float32] | None:
    if "weight_data" not in arrays:
        return arrays.get("weights")
    parts = (arrays["weight_data"], arrays["weight_indices"], arrays["weight_indptr"])
    return csr_array(parts, shape=(n_items, n_items))
