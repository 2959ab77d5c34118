"""Partition of a graph into shards by users: the number of shards, and which users each holds."""

from __future__ import annotations

import heapq
from dataclasses import replace

import numpy as np
import pandas as pd
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from interest_graph.arrays import Arrays, Shipped, ship, shipping
from interest_graph.config.train import TrainConfig
from interest_graph.train.distributed.all_reduce import gram, user_rows
from interest_graph.train.distributed.sharded_graph import ShardedGraph, pack_shards
from interest_graph.train.kernels.krylov import leading_spectrum
from interest_graph.train.kernels.sparse import CSR_NAMES
from interest_graph.train.sharding.communities import group_centres, nearest_group
from interest_graph.train.sharding.histories import Histories, read_histories
from interest_graph.train.sharding.memory_model import Costs, shards_needed

# Community order: groups of items a shard, singular vectors, and products with R^'R^ to find them.
# On Gowalla higher numbers did not lower the replication of items further.
_GROUPS_PER_SHARD, _DIRECTIONS, _PRODUCTS = 8, 32, 4
# A group's users are divided into so many parts by hash; a shard is a range of parts.
_PARTS_PER_GROUP = 64


def partition(
    edges: DataFrame, held_out: DataFrame | None, config: TrainConfig, costs: Costs
) -> ShardedGraph:
    """Cut the graph into train.n_shards shards of about equal bytes, by hash or by community.

    edges: user_id, item_id, weight > 0, one row per pair. held_out: user_id, item_id pairs, stored
    in the shards as separate arrays for validation; weight 1 without a weight column. costs: memory
    needed by the model that uses the shards. train.sharding: hash, or community to put users of
    the same items together. n_shards null: the fewest shards that keep train.worker_mb, at least 2.
    There are never more shards than users. The same edges and settings give the same shards,
    whatever the order of the rows.
    Raises ConfigError when no number of shards keeps train.worker_mb, TrainingError without edges,
    DataError for weights that are not above 0.
    """
    histories = read_histories(edges, held_out)
    try:
        n_shards = _count_shards(histories, config, costs)
        graph = shard_by_hash(histories, n_shards, costs, config.seed)
        if config.sharding == "community" and n_shards > 1:
            return _regroup(histories, graph, costs, config.seed)
        return graph
    except BaseException:
        histories.items.numbers.unpersist()
        raise
    finally:
        histories.rows.unpersist()


def shard_by_hash(histories: Histories, n_shards: int, costs: Costs, seed: int) -> ShardedGraph:
    """Assign most users to shards by hash, the heaviest to the lightest shards; pack the shards.

    n_shards: at most the number of users.
    """
    items, size = histories.items, histories.size
    rows = pack_shards(assign_by_hash(histories.rows, n_shards, costs, seed), n_shards)
    degrees = {"degrees": items.degrees, "all_degrees": items.all_degrees}
    return ShardedGraph(
        rows=rows,
        items=items,
        degrees=ship(rows.sparkSession, degrees),
        n_shards=n_shards,
        n_users=size.n_users,
        n_edges=size.n_edges,
    )


def _count_shards(histories: Histories, config: TrainConfig, costs: Costs) -> int:
    n_users = histories.size.n_users
    if config.n_shards is not None:
        return min(config.n_shards, n_users)
    needed = shards_needed(histories.size, costs, config.worker_mb)
    return max(needed, min(2, n_users))


def _regroup(histories: Histories, graph: ShardedGraph, costs: Costs, seed: int) -> ShardedGraph:
    """The graph cut again, by community, so that users with items in common share a shard.

    graph: the same graph cut by hash, over whose shards the communities are computed. Users are
    ordered by community and cut into ranges of about equal bytes. Unpersists the shards of `graph`.
    """
    with shipping(graph.spark, _find_communities(graph, seed)) as shared:
        users = _users_in_parts(graph, shared, costs, seed).persist()
        shards = _cut_parts(users, graph.n_shards)
        if shards is None:
            regrouped = graph  # fewer parts than shards: too few users for an order
        else:
            chosen = users.join(F.broadcast(shards), "part").select("user_id", "shard_id")
            assigned = histories.rows.join(chosen, "user_id")
            # Items and shipped degrees do not depend on the shards and are taken over.
            regrouped = replace(graph, rows=pack_shards(assigned, graph.n_shards))
            graph.rows.unpersist()
        users.unpersist()
    return regrouped


def _find_communities(graph: ShardedGraph, seed: int) -> Arrays:
    """V float32[items, d], scaled singular vectors; centres float32[groups, d] of item groups."""
    spectrum = leading_spectrum(
        lambda Y: gram(graph, Y), len(graph.items), _DIRECTIONS, n_products=_PRODUCTS, seed=seed
    )
    # Scaled by the singular values: vectors with small ones are noise rather than communities.
    V = (spectrum.vectors * np.sqrt(spectrum.values)).astype(np.float32)
    n_groups = _GROUPS_PER_SHARD * graph.n_shards
    return {"V": V, "centres": group_centres(V, graph.items.degrees, n_groups)}


def _users_in_parts(graph: ShardedGraph, shared: Shipped, costs: Costs, seed: int) -> DataFrame:
    """user_id, part INT, n_bytes; parts of one community have consecutive numbers."""
    found = user_rows(graph, nearest_group, shared, CSR_NAMES)
    users = found.select(F.col("key").alias("user_id"), "vector", "n_edges")
    group = F.col("vector")[0].cast("int")
    part = group * _PARTS_PER_GROUP + hash_bucket(_PARTS_PER_GROUP, seed)
    n_bytes = costs.user + costs.edge * F.col("n_edges")
    return users.select("user_id", part.alias("part"), n_bytes.alias("n_bytes"))


def _cut_parts(users: DataFrame, n_shards: int) -> DataFrame | None:
    """Assign the parts, in order, to shards of about equal bytes: part, shard_id.

    None when there are fewer parts than shards. At most _GROUPS_PER_SHARD * _PARTS_PER_GROUP rows a
    shard reach the driver, however many the users.
    """
    loads = users.groupBy("part").agg(F.sum("n_bytes").alias("n_bytes")).toPandas()
    if len(loads) < n_shards:
        return None
    loads = loads.sort_values("part", ignore_index=True)
    loads["shard_id"] = cut_evenly(loads["n_bytes"].to_numpy(), n_shards)
    return users.sparkSession.createDataFrame(loads[["part", "shard_id"]])


# So many of the heaviest users, times the shards, are assigned one by one: hashing alone would
# leave shards of unequal bytes.
_HEAVY_USERS_PER_SHARD = 64


def assign_by_hash(histories: DataFrame, n_shards: int, costs: Costs, seed: int) -> DataFrame:
    """Add shard_id: for most users by hash, for the heaviest the shard with the fewest bytes.

    histories: user_id, history, held. The result does not depend on the order of the rows.
    """
    if n_shards == 1:
        return histories.withColumn("shard_id", F.lit(0))
    hashed = hash_bucket(n_shards, seed)
    heaviest = (
        histories.select("user_id", F.size("history").alias("n_edges"), hashed.alias("hashed"))
        .orderBy(F.desc("n_edges"), "user_id")
        .limit(_HEAVY_USERS_PER_SHARD * n_shards)
        .toPandas()
    )
    assigned = assign_heaviest(heaviest, _hashed_loads(histories, n_shards, hashed), costs)
    chosen = F.coalesce("assigned_to", hashed).alias("shard_id")
    table = F.broadcast(histories.sparkSession.createDataFrame(assigned))
    return histories.join(table, "user_id", how="left").select("user_id", "history", "held", chosen)


def hash_bucket(n: int, seed: int) -> Column:
    """Column: a hash of user_id and the seed, from 0 to n - 1."""
    return F.pmod(F.xxhash64("user_id", F.lit(seed)), F.lit(n)).cast("int")


def assign_heaviest(heaviest: pd.DataFrame, loads: pd.DataFrame, costs: Costs) -> pd.DataFrame:
    """Assign the heaviest users in turn, each to the shard that has the fewest bytes so far.

    heaviest: user_id, n_edges, hashed (their shard by hash), in descending order of n_edges.
    loads: n_users, n_edges of each shard when every user, the heaviest included, goes by hash.
    Returns user_id, assigned_to.
    """
    moved = heaviest.groupby("hashed").agg(n_users=("user_id", "size"), n_edges=("n_edges", "sum"))
    others = loads.sub(moved.reindex(loads.index, fill_value=0))
    shards = [
        (costs.shard_bytes(n_users, n_edges), shard)
        for shard, (n_users, n_edges) in enumerate(
            zip(others["n_users"], others["n_edges"], strict=True)
        )
    ]
    heapq.heapify(shards)
    chosen = []
    for n_edges in heaviest["n_edges"]:
        size, shard = shards[0]
        chosen.append(shard)
        heapq.heapreplace(shards, (size + costs.shard_bytes(1, n_edges), shard))
    return pd.DataFrame({"user_id": heaviest["user_id"], "assigned_to": np.array(chosen, np.int32)})


def cut_evenly(sizes: np.ndarray, n_parts: int) -> np.ndarray:
    """Cut a sequence of entries into n_parts contiguous parts of about equal total size.

    sizes: of the entries, at least n_parts of them. Returns int32[len(sizes)], the part of each
    entry. No part is empty; a part exceeds the mean by at most one entry, provided that no entry is
    larger than the mean.
    """
    places = np.arange(n_parts)
    middles = np.cumsum(sizes) - sizes / 2
    starts = np.searchsorted(middles, sizes.sum() * places / n_parts)
    starts = np.maximum.accumulate(starts - places) + places  # so that no part is empty
    starts = np.minimum(starts, len(sizes) - n_parts + places)
    found = np.searchsorted(starts, np.arange(len(sizes)), side="right") - 1
    return found.astype(np.int32)


def _hashed_loads(histories: DataFrame, n_shards: int, hashed: Column) -> pd.DataFrame:
    """n_users and n_edges of each shard if every user were assigned by hash."""
    loads = histories.groupBy(hashed.alias("shard_id")).agg(
        F.count("*").alias("n_users"), F.sum(F.size("history")).alias("n_edges")
    )
    by_shard = loads.toPandas().set_index("shard_id")
    return by_shard.reindex(range(n_shards), fill_value=0)
