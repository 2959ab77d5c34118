"""One line of reason for each recommendation, from the strongest path in the graph."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from scipy.sparse import csr_array

from interest_graph.arrays import Shipped, pack_texts, ship, unpack_texts
from interest_graph.recommend.catalogue import history_matrix, positions_in
from interest_graph.recommend.item_graph import item_interests, item_item_edges, names_of
from interest_graph.recommend.paths import ItemGraph, reason_lines

POPULAR_REASON = "popular now"
EXPLAINED_COLUMNS = "user_id STRING, rank INT, item_id STRING, score DOUBLE, reason STRING"

# Recommendations times history: the entries that are looked at together.
_MAX_ENTRIES = 2_000_000

Arrays = dict[str, NDArray[Any]]


def explain(
    ranked: DataFrame, histories: DataFrame, *, edges: DataFrame, vertices: DataFrame
) -> DataFrame:
    """Add `reason` to recommendations: which items of the user's history lead to the item, and how.

    ranked: user_id, rank, item_id, score; histories: user_id, items, weights; edges, vertices: one
    version of graph.edges and graph.vertices. Paths are looked up in workers, for the recommended
    items alone; nothing but the item side of the graph passes through the driver.
    """
    graph = ship(ranked.sparkSession, gather_item_graph(edges, vertices))
    listed = F.sort_array(F.collect_list(F.struct("rank", "item_id", "score"))).alias("listed")
    lists = ranked.groupBy("user_id").agg(listed)
    flat = ("rank", "item_id", "score")
    by_user = lists.select("user_id", *[F.col(f"listed.{name}").alias(name) for name in flat])
    with_history = by_user.join(histories, "user_id", how="left")
    return with_history.mapInArrow(_explainer(graph), EXPLAINED_COLUMNS)


def gather_item_graph(edges: DataFrame, vertices: DataFrame) -> Arrays:
    """Bring the item side of the graph to the driver; returns arrays for `read_item_graph`."""
    items = names_of(vertices, "item").toPandas().sort_values("key")
    about = item_interests(edges, vertices).toPandas()
    near = item_item_edges(edges).toPandas()
    item_ids = pd.Index(items["key"])
    interests = pd.Index(np.unique(about["interest"].to_numpy(dtype=object)))
    return {
        "item_ids": pack_texts(items["key"].tolist()),
        "names": pack_texts(items["name"].tolist()),
        "interests": pack_texts(interests.tolist()),
        **_entries("near", near, {"item_id": item_ids, "other_id": item_ids}),
        **_entries("about", about, {"item_id": item_ids, "interest": interests}),
    }


def read_item_graph(arrays: Mapping[str, NDArray[Any]]) -> tuple[pa.StringArray, ItemGraph]:
    """Item ids in order and the graph behind the arrays of `gather_item_graph`."""
    item_ids = pa.array(unpack_texts(arrays["item_ids"]), type=pa.string())
    names, interests = unpack_texts(arrays["names"]), unpack_texts(arrays["interests"])
    n_items = len(item_ids)
    near = _matrix(arrays, "near", (n_items, n_items))
    about = _matrix(arrays, "about", (n_items, len(interests)))
    return item_ids, ItemGraph(near.maximum(near.T).tocsr(), about, names, interests)


def explain_batch(
    batch: pa.RecordBatch, item_ids: pa.StringArray, graph: ItemGraph
) -> pa.RecordBatch:
    """Explain the lists of one Arrow batch of users.

    batch: user_id, rank, item_id, score (lists of one length per user), items, weights.
    Returns user_id, rank, item_id, score, reason; one row per recommendation.
    """
    listed = batch.column("item_id")
    lengths = listed.value_lengths().to_numpy(zero_copy_only=False)
    users, items = np.repeat(np.arange(batch.num_rows), lengths), listed.flatten()
    histories = history_matrix(batch, item_ids)
    reasons = reason_lines(histories, users, positions_in(item_ids, items), graph)
    return pa.record_batch(
        {
            "user_id": batch.column("user_id").take(pa.array(users)),
            "rank": batch.column("rank").flatten(),
            "item_id": items,
            "score": batch.column("score").flatten(),
            "reason": pa.array(reasons, type=pa.string()),
        }
    )


def _explainer(
    graph: Shipped,
) -> Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    def explain_batches(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        item_ids, item_graph = read_item_graph(graph.load())
        for batch in batches:
            for part in _parts(batch):
                yield explain_batch(part, item_ids, item_graph)

    return explain_batches


def _parts(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """Slices of users whose lists times histories stay below a bound."""
    n_edges, n_listed = (len(batch.column(name).flatten()) for name in ("items", "item_id"))
    n_entries = n_edges * n_listed // max(1, batch.num_rows)
    size = max(1, batch.num_rows * _MAX_ENTRIES // max(_MAX_ENTRIES, n_entries))
    for start in range(0, batch.num_rows, size):
        yield batch.slice(start, size)


def _entries(name: str, edges: pd.DataFrame, ids: Mapping[str, pd.Index[Any]]) -> Arrays:
    """`edges` as the entries of a matrix; ids: the labels of its rows and of its columns."""
    places = np.stack([known.get_indexer(pd.Index(edges[end])) for end, known in ids.items()])
    is_known = (places >= 0).all(axis=0)
    return {
        f"{name}_weights": edges["weight"].to_numpy(np.float32)[is_known],
        f"{name}_places": places[:, is_known].astype(np.int64),
    }


def _matrix(arrays: Mapping[str, NDArray[Any]], name: str, shape: tuple[int, int]) -> csr_array:
    return csr_array((arrays[f"{name}_weights"], tuple(arrays[f"{name}_places"])), shape=shape)
