"""Exact top items of every user: blocks of users against all items, in workers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from scipy.sparse import csr_array

from interest_graph.arrays import Shipped, ship
from interest_graph.recommend.catalogue import (
    Catalogue,
    gather_items,
    history_matrix,
    read_catalogue,
)
from interest_graph.recommend.ranking import rank_items, ranks_within

HISTORY_COLUMNS = "user_id STRING, items ARRAY<STRING>, weights ARRAY<FLOAT>"
RANKED_COLUMNS = "user_id STRING, rank INT, item_id STRING, score DOUBLE"


def gather_histories(edges: DataFrame) -> DataFrame:
    """One row per user: the items of their edges and the edges' weights.

    edges: user_id, item_id, weight. Returns user_id, items, weights; items in order of id.
    """
    pairs = F.sort_array(
        F.collect_list(F.struct("item_id", F.col("weight").cast("float").alias("weight")))
    )
    by_user = edges.groupBy("user_id").agg(pairs.alias("_pairs"))
    items, weights = F.col("_pairs.item_id"), F.col("_pairs.weight")
    return by_user.select("user_id", items.alias("items"), weights.alias("weights"))


def top_k(
    histories: DataFrame,
    *,
    k: int,
    user_vectors: DataFrame | None = None,
    item_vectors: DataFrame | None = None,
    item_weights: DataFrame | None = None,
) -> DataFrame:
    """The k items with the largest score(u, i) = <p_u, q_i> + sum_j r_uj W_ji for every user.

    histories: user_id, items, weights (r_uj); its items are never recommended to their user, not
    even those of weight 0.
    user_vectors, item_vectors: key, vector (p and q, one length); item_weights: src (j), dst (i),
    weight (W). Candidates are the items of the model; equal scores go to the smaller item id. Users
    of whom the model knows nothing, neither a vector nor the weight of an item, have no rows.

    Returns user_id, rank (from 1), item_id, score.
    """
    if (user_vectors is None) != (item_vectors is None):
        raise ValueError("user vectors and item vectors are given together or not at all")
    spark = histories.sparkSession
    items = ship(spark, gather_items(item_vectors, item_weights))
    users = _with_vectors(histories, user_vectors)
    # A fixed layout gives the same blocks, hence the same last digits of the scores, in every run.
    n_partitions = int(spark.conf.get("spark.sql.shuffle.partitions") or 1)
    ordered = users.repartition(n_partitions, "user_id").sortWithinPartitions("user_id")
    return ordered.mapInArrow(_ranker(items, k), RANKED_COLUMNS)


def _with_vectors(histories: DataFrame, user_vectors: DataFrame | None) -> DataFrame:
    users = histories.select("user_id", "items", F.col("weights").cast("array<float>"))
    if user_vectors is None:
        return users.withColumn("vector", F.lit(None).cast("array<float>"))
    vectors = user_vectors.select(F.col("key").alias("user_id"), "vector")
    return users.join(vectors, "user_id", how="left")


def _ranker(
    items: Shipped, k: int
) -> Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    def rank_batches(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        catalogue = read_catalogue(items.load())
        for batch in batches:
            yield rank_batch(batch, catalogue, k)

    return rank_batches


def rank_batch(batch: pa.RecordBatch, catalogue: Catalogue, k: int) -> pa.RecordBatch:
    """Rank the catalogue for the users of one Arrow batch.

    batch: user_id, items, weights, vector (null where the user has none).
    Returns user_id, rank, item_id, score.
    """
    histories = history_matrix(batch, catalogue.item_ids)
    known = _has_known_items(histories, catalogue) | _is_present(batch.column("vector"))
    users, histories = batch.filter(pa.array(known)), histories[known]
    vectors = _user_matrix(users.column("vector"), catalogue)
    rows, columns, scores = rank_items(histories, vectors, catalogue.state, k)
    return pa.record_batch(
        {
            "user_id": users.column("user_id").take(pa.array(rows)),
            "rank": ranks_within(rows),
            "item_id": catalogue.item_ids.take(pa.array(columns)),
            "score": scores.astype(np.float64),
        }
    )


def _user_matrix(vectors: pa.ListArray, catalogue: Catalogue) -> NDArray[np.float32] | None:
    """p, float32[n_users, dimension]; zeros for users without a vector."""
    if catalogue.state.vectors is None:
        return None
    matrix = np.zeros((len(vectors), catalogue.state.vectors.shape[1]), dtype=np.float32)
    values = vectors.flatten().to_numpy(zero_copy_only=False)
    matrix[_is_present(vectors)] = values.reshape(-1, matrix.shape[1])
    return matrix


def _has_known_items(histories: csr_array, catalogue: Catalogue) -> NDArray[np.bool_]:
    has_weights = catalogue.state.weights is not None
    n_known: NDArray[np.intp] = histories.count_nonzero(axis=1)
    return (n_known > 0) & has_weights


def _is_present(column: pa.Array) -> NDArray[np.bool_]:
    is_present: NDArray[np.bool_] = column.is_valid().to_numpy(zero_copy_only=False)
    return is_present
