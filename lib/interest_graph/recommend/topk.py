"""Exact top items of every user: groups of users against blocks of items, in workers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial, reduce

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F
from scipy.sparse import csr_array

from interest_graph.item_weights import is_blocks
from interest_graph.recommend.catalogue import (
    Catalogue,
    history_matrix,
    pack_items,
    read_catalogue,
)
from interest_graph.recommend.packed import (
    beside_users,
    count_blocks,
    count_groups,
    group_of,
    users_with,
)
from interest_graph.recommend.ranking import rank_items, ranks_within

HISTORY_COLUMNS = "user_id STRING, items ARRAY<STRING>, weights ARRAY<FLOAT>"
RANKED_COLUMNS = "user_id STRING, rank INT, item_id STRING, score DOUBLE"

# A weight in a block: its column, the number, and its share of the texts.
_PAIR_BYTES = 12
# Every group of users gets a copy of the items; more users a group make fewer copies.
_MOST_USERS, _LEAST_USERS = 50_000, 1_000


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
    user_vectors, item_vectors: key, vector (p and q, one length); item_weights: W as blocks, as a
    FittedModel has them, or rows of src (j), dst (i), weight. Candidates are the items of the
    model; equal scores go to the smaller item id. Users of whom the model knows nothing, neither a
    vector nor the weight of an item, have no rows.

    The items, however many, reach the tasks in blocks of bounded size. One small job counts first,
    so `histories` and the item side are read twice: cache what is dear to compute.
    Returns user_id, rank (from 1), item_id, score.
    """
    if (user_vectors is None) != (item_vectors is None):
        raise ValueError("user vectors and item vectors are given together or not at all")
    size = _measure(histories, item_vectors, item_weights)
    n_blocks = count_blocks(size.n_bytes)
    packed = pack_items(item_vectors, item_weights, n_blocks)
    if packed is None or size.n_users == 0:
        return histories.sparkSession.createDataFrame([], RANKED_COLUMNS)
    # A fixed layout gives the same batches, hence the same last digits of the scores, in every run.
    n_groups = count_groups(
        histories, size.n_users, n_blocks=n_blocks, least=_LEAST_USERS, most=_MOST_USERS
    )
    users = _with_vectors(histories, user_vectors).select(
        "*",
        group_of("user_id", n_groups),
        F.explode(F.sequence(F.lit(0), F.lit(n_blocks - 1))).alias("block"),
    )
    rows = beside_users(users, packed, n_blocks=n_blocks, n_groups=n_groups)
    ranker = _ranker(k, is_weighted=size.is_weighted, is_whole=n_blocks == 1)
    ranked = rows.mapInArrow(ranker, RANKED_COLUMNS)
    return ranked if n_blocks == 1 else _merge_blocks(ranked, k)


@dataclass(frozen=True)
class _Size:
    """Users to rank for, bytes of the item side when packed, whether it has weights."""

    n_users: int
    n_bytes: int
    is_weighted: bool


def _measure(
    histories: DataFrame, item_vectors: DataFrame | None, item_weights: DataFrame | None
) -> _Size:
    counts = [histories.agg(F.count("*").alias("users"))]
    if item_vectors is not None:
        vector_bytes = F.sum(4 * F.size("vector") + F.length("key"))
        counts.append(item_vectors.agg(vector_bytes.alias("bytes")))
    if item_weights is not None:
        count = F.sum("n_weights") if is_blocks(item_weights) else F.count("*")
        counts.append(item_weights.agg(count.alias("weights")))
    rows = reduce(partial(DataFrame.unionByName, allowMissingColumns=True), counts).collect()
    n_users, n_bytes, n_weights = (
        sum(row.asDict().get(name) or 0 for row in rows) for name in ("users", "bytes", "weights")
    )
    return _Size(n_users, n_bytes + _PAIR_BYTES * n_weights, n_weights > 0)


def _merge_blocks(ranked: DataFrame, k: int) -> DataFrame:
    """The k best of every user over all blocks; rows without an item mark users who are known."""
    user = Window.partitionBy("user_id")
    best_first = user.orderBy(F.desc_nulls_last("score"), "item_id")
    is_known = F.max(F.col("item_id").isNull()).over(user)
    merged = ranked.withColumns({"rank": F.row_number().over(best_first), "_is_known": is_known})
    chosen = merged.where((F.col("rank") <= k) & F.col("_is_known") & F.col("item_id").isNotNull())
    return chosen.drop("_is_known")


def _with_vectors(histories: DataFrame, user_vectors: DataFrame | None) -> DataFrame:
    users = histories.select("user_id", "items", F.col("weights").cast("array<float>"))
    if user_vectors is None:
        return users.withColumn("vector", F.lit(None).cast("array<float>"))
    vectors = user_vectors.select(F.col("key").alias("user_id"), "vector")
    return users.join(vectors, "user_id", how="left")


def _ranker(
    k: int, *, is_weighted: bool, is_whole: bool
) -> Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    read = partial(read_catalogue, is_weighted=is_weighted, is_whole=is_whole)

    def rank_batches(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for catalogue, users in users_with(batches, read):
            yield from rank_batch(users, catalogue, k)

    return rank_batches


def rank_batch(batch: pa.RecordBatch, catalogue: Catalogue, k: int) -> Iterator[pa.RecordBatch]:
    """Rank the catalogue for the users of one Arrow batch.

    batch: user_id, items, weights, vector (null where the user has none).
    Yields user_id, rank, item_id, score. When the catalogue is one block of several, another block
    may know users that this one does not: all are ranked, and those known here are marked by a row
    without an item.
    """
    histories = history_matrix(batch, catalogue.known_ids)
    known = _has_known_items(histories, catalogue) | _is_present(batch.column("vector"))
    if not catalogue.is_whole:
        yield _marks(batch.column("user_id").filter(pa.array(known)))
        known[:] = True
    users, histories = batch.filter(pa.array(known)), histories[known]
    vectors = _user_matrix(users.column("vector"), catalogue)
    rows, columns, scores = rank_items(histories, vectors, catalogue.state, k)
    yield pa.record_batch(
        {
            "user_id": users.column("user_id").take(pa.array(rows)),
            "rank": ranks_within(rows),
            "item_id": catalogue.item_ids.take(pa.array(columns)),
            "score": scores.astype(np.float64),
        }
    )


def _marks(user_ids: pa.StringArray) -> pa.RecordBatch:
    n = len(user_ids)
    nothing = {"rank": pa.int32(), "item_id": pa.string(), "score": pa.float64()}
    columns = {name: pa.nulls(n, kind) for name, kind in nothing.items()}
    return pa.record_batch({"user_id": user_ids, **columns})


def _user_matrix(vectors: pa.ListArray, catalogue: Catalogue) -> NDArray[np.float32] | None:
    """p, float32[n_users, dimension]; zeros for users without a vector."""
    if catalogue.state.vectors is None:
        return None
    matrix = np.zeros((len(vectors), catalogue.state.vectors.shape[1]), dtype=np.float32)
    values = vectors.flatten().to_numpy(zero_copy_only=False)
    matrix[_is_present(vectors)] = values.reshape(-1, matrix.shape[1])
    return matrix


def _has_known_items(histories: csr_array, catalogue: Catalogue) -> NDArray[np.bool_]:
    n_known: NDArray[np.intp] = histories.count_nonzero(axis=1)
    return (n_known > 0) & catalogue.is_weighted


def _is_present(column: pa.Array) -> NDArray[np.bool_]:
    is_present: NDArray[np.bool_] = column.is_valid().to_numpy(zero_copy_only=False)
    return is_present
