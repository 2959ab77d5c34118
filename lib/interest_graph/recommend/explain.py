"""One line of reason for each recommendation, from the strongest path in the graph."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial, reduce

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from interest_graph.partition_keys import key_of_partition
from interest_graph.recommend.catalogue import history_matrix
from interest_graph.recommend.item_graph import (
    MET,
    RECOMMENDED,
    pack_graph,
    read_item_graph,
    route,
)
from interest_graph.recommend.packed import (
    PACKED_COLUMNS,
    beside_users,
    blocks_of,
    count_blocks,
    count_groups,
    group_of,
    pack,
    users_with,
)
from interest_graph.recommend.paths import ItemGraph, reason_lines
from interest_graph.weight_blocks import positions_in

POPULAR_REASON = "popular now"
EXPLAINED_COLUMNS = "user_id STRING, rank INT, item_id STRING, score DOUBLE, reason STRING"

# Recommendations times history: the entries that are looked at together.
_MAX_ENTRIES = 2_000_000
# A packed edge, at both its ends: codes, the number, and its share of the texts; a name, an item.
_EDGE_BYTES, _NAME_BYTES = 56, 48
# Users of a group, and items that they have met: they bound the part of the graph that it needs.
_MOST_USERS, _LEAST_USERS, _MOST_MET = 10_000, 250, 1_000_000


def explain(
    ranked: DataFrame, histories: DataFrame, *, edges: DataFrame, vertices: DataFrame
) -> DataFrame:
    """Add `reason` to recommendations: which items of the user's history lead to the item, and how.

    ranked: user_id, rank, item_id, score; histories: user_id, items, weights; edges, vertices: one
    version of graph.edges and graph.vertices. Paths are looked up in workers, each of which gets
    the neighbourhood of the items that its users have met or were recommended; nothing of the
    graph passes through the driver. One small job counts first, so histories, edges and vertices
    are read twice, and `ranked` too where the graph is large: cache what is dear to compute.
    Returns user_id, rank, item_id, score, reason.
    """
    n_users, n_met, n_bytes = _measure(histories, edges, vertices)
    n_blocks = count_blocks(n_bytes)
    most = max(1, min(_MOST_USERS, _MOST_MET * n_users // max(1, n_met)))
    n_groups = count_groups(
        histories, n_users, n_blocks=1, least=min(_LEAST_USERS, most), most=most
    )
    users = _with_lists(histories, ranked, n_groups)
    graph = pack_graph(edges, vertices, n_blocks)
    if n_blocks > 1:
        graph = _routed(graph, users, n_blocks)
    rows = beside_users(users, graph, n_blocks=1, n_groups=n_groups)
    return rows.mapInArrow(_explain_batches, EXPLAINED_COLUMNS)


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


def _measure(histories: DataFrame, edges: DataFrame, vertices: DataFrame) -> tuple[int, int, int]:
    """Users, items met by them, and bytes of the item side of the graph when packed."""
    n_met = F.sum(F.greatest(F.size("items"), F.lit(0)))
    is_edge, is_item = F.col("kind").isin("item_item", "item_interest"), F.col("kind") == "item"
    counts = [
        histories.agg(F.count("*").alias("users"), n_met.alias("met")),
        edges.where(is_edge).agg((_EDGE_BYTES * F.count("*")).alias("bytes")),
        vertices.where(is_item).agg((_NAME_BYTES * F.count("*")).alias("bytes")),
    ]
    rows = reduce(partial(DataFrame.unionByName, allowMissingColumns=True), counts).collect()
    users, met, n_bytes = (
        sum(row[name] or 0 for row in rows) for name in ("users", "met", "bytes")
    )
    return users, met, n_bytes


def _with_lists(histories: DataFrame, ranked: DataFrame, n_groups: int) -> DataFrame:
    """user_id, rank, item_id, score (lists), items, weights, user_group and block of each user."""
    listed = F.sort_array(F.collect_list(F.struct("rank", "item_id", "score"))).alias("listed")
    lists = ranked.groupBy("user_id").agg(listed)
    flat = [F.col(f"listed.{name}").alias(name) for name in ("rank", "item_id", "score")]
    by_user = lists.select("user_id", *flat).join(histories, "user_id", how="left")
    return by_user.select("*", group_of("user_id", n_groups), F.lit(0).alias("block"))


def _routed(graph: DataFrame, users: DataFrame, n_blocks: int) -> DataFrame:
    """The rows of the packed graph that each group of users needs; PACKED_COLUMNS."""
    needs = []
    for name, column in ((RECOMMENDED, "item_id"), (MET, "items")):
        items = users.select("user_group", F.explode(column).alias("item_id"))
        needs.append(pack(items.select("*", *blocks_of(n_blocks, block="item_id")), name))
    rows = reduce(DataFrame.unionByName, [graph, *needs])
    in_blocks = rows.repartition(n_blocks, key_of_partition("block", n_blocks))
    # The groups' rows lie in one block from here on.
    return in_blocks.mapInArrow(route, PACKED_COLUMNS).withColumn("block", F.lit(0))


def _explain_batches(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    for (item_ids, graph), users in users_with(batches, read_item_graph):
        for part in _parts(users):
            yield explain_batch(part, item_ids, graph)


def _parts(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """Slices of users whose lists times histories stay below a bound."""
    n_edges, n_listed = (len(batch.column(name).flatten()) for name in ("items", "item_id"))
    n_entries = n_edges * n_listed // max(1, batch.num_rows)
    size = max(1, batch.num_rows * _MAX_ENTRIES // max(_MAX_ENTRIES, n_entries))
    for start in range(0, batch.num_rows, size):
        yield batch.slice(start, size)
