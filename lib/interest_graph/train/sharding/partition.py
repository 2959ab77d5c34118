"""The shards of a graph as the settings ask for them: how many, and whose users share one."""

from __future__ import annotations

import heapq
from dataclasses import replace

import numpy as np
import pandas as pd
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from interest_graph.arrays import Arrays, Shipped, ship, shipping
from interest_graph.config.train import TrainConfig
from interest_graph.errors import ConfigError
from interest_graph.train.distributed.all_reduce import gram, user_rows
from interest_graph.train.distributed.sharded_graph import ShardedGraph, pack_shards
from interest_graph.train.kernels.krylov import leading_spectrum
from interest_graph.train.kernels.sparse import CSR_NAMES
from interest_graph.train.sharding.communities import group_centres, nearest_group
from interest_graph.train.sharding.histories import Histories, read_histories
from interest_graph.train.sharding.memory_model import Costs, shards_needed

# On Gowalla more groups or directions did not lower the replication further.
_GROUPS_PER_SHARD, _DIRECTIONS, _PRODUCTS = 8, 32, 4
# Groups are cut between users; finer parts than this would even out little.
_PARTS_PER_GROUP = 64


def partition(
    edges: DataFrame, held_out: DataFrame | None, config: TrainConfig, costs: Costs
) -> ShardedGraph:
    """Cut the graph into `train.n_shards` shards of equal bytes, in the order `train.sharding`.

    With n_shards null there are as many as a worker of train.worker_mb needs, and at least two.
    edges: user_id, item_id, weight > 0, one row per pair. held_out: user_id, item_id pairs that
    are kept beside the edges for validation, their weight 1 unless they have one. costs: of what is
    done with the shards. The same edges and settings give the same shards in any order of the rows.
    """
    histories = read_histories(edges, held_out)
    try:
        n_shards = _count_shards(histories, config, costs)
        graph = shard_by_hash(histories, n_shards, costs, config.seed)
        if config.sharding == "community" and n_shards > 1:
            return _regroup(histories, graph, costs, config.seed)
        return graph
    finally:
        histories.rows.unpersist()


def shard_by_hash(histories: Histories, n_shards: int, costs: Costs, seed: int) -> ShardedGraph:
    """Deal the users by hash, evened out by the heaviest, and pack the shards.

    Raises ConfigError when a shard would be empty.
    """
    items, size = histories.items, histories.size
    if size.n_users < n_shards:
        raise ConfigError("train.n_shards", f"{size.n_users} users cannot fill {n_shards} shards")
    rows = pack_shards(deal_by_hash(histories.rows, n_shards, costs, seed), n_shards)
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
    if config.n_shards is not None:
        return config.n_shards
    needed = shards_needed(histories.size, costs, config.worker_mb)
    return max(needed, min(2, histories.size.n_users))


def _regroup(histories: Histories, graph: ShardedGraph, costs: Costs, seed: int) -> ShardedGraph:
    """The graph cut anew, so that users who share items share a shard.

    Users are ordered by their community and cut into ranges of equal bytes; `graph`, cut by hash,
    serves to find the communities, and its shards are let go.
    """
    with shipping(graph.spark, _find_communities(graph, seed)) as shared:
        users = _users_in_parts(graph, shared, costs, seed).persist()
        shards = _cut_parts(users, graph.n_shards)
        if shards is None:
            regrouped = graph  # so few users that there is nothing to order
        else:
            chosen = users.join(F.broadcast(shards), "part").select("user_id", "shard_id")
            assigned = histories.rows.join(chosen, "user_id")
            # The items stay as they are, and with them the degrees that were shipped.
            regrouped = replace(graph, rows=pack_shards(assigned, graph.n_shards))
            graph.rows.unpersist()
        users.unpersist()
    return regrouped


def _find_communities(graph: ShardedGraph, seed: int) -> Arrays:
    """V float32[items, d], the leading directions, and the centres of groups of items in them."""
    spectrum = leading_spectrum(
        lambda Y: gram(graph, Y), len(graph.items), _DIRECTIONS, n_products=_PRODUCTS, seed=seed
    )
    # By singular value: directions beyond the communities are noise, and have small ones.
    V = (spectrum.vectors * np.sqrt(spectrum.values)).astype(np.float32)
    n_groups = _GROUPS_PER_SHARD * graph.n_shards
    return {"V": V, "centres": group_centres(V, graph.items.degrees, n_groups)}


def _users_in_parts(graph: ShardedGraph, shared: Shipped, costs: Costs, seed: int) -> DataFrame:
    """user_id, part (INT; parts of a community are next to each other), n_bytes."""
    found = user_rows(graph, nearest_group, shared, CSR_NAMES)
    users = found.select(F.col("key").alias("user_id"), "vector", "n_edges")
    group = F.col("vector")[0].cast("int")
    part = group * _PARTS_PER_GROUP + hashed_to(_PARTS_PER_GROUP, seed)
    n_bytes = costs.user + costs.edge * F.col("n_edges")
    return users.select("user_id", part.alias("part"), n_bytes.alias("n_bytes"))


def _cut_parts(users: DataFrame, n_shards: int) -> DataFrame | None:
    """part, shard_id; None where there are fewer parts than shards.

    There are at most _GROUPS_PER_SHARD * _PARTS_PER_GROUP parts a shard, however many the users.
    """
    loads = users.groupBy("part").agg(F.sum("n_bytes").alias("n_bytes")).toPandas()
    if len(loads) < n_shards:
        return None
    loads = loads.sort_values("part", ignore_index=True)
    loads["shard_id"] = cut_evenly(loads["n_bytes"].to_numpy(), n_shards)
    return users.sparkSession.createDataFrame(loads[["part", "shard_id"]])


# The heaviest users are dealt out one by one, which evens out what hashing the others left.
_DEALT_PER_SHARD = 64


def deal_by_hash(histories: DataFrame, n_shards: int, costs: Costs, seed: int) -> DataFrame:
    """Adds shard_id: the heaviest users go to the lightest shard in turn, the others by hash.

    histories: user_id, history, held. The order of the rows changes nothing.
    """
    if n_shards == 1:
        return histories.withColumn("shard_id", F.lit(0))
    hashed = hashed_to(n_shards, seed)
    heaviest = (
        histories.select("user_id", F.size("history").alias("n_edges"), hashed.alias("hashed"))
        .orderBy(F.desc("n_edges"), "user_id")
        .limit(_DEALT_PER_SHARD * n_shards)
        .toPandas()
    )
    dealt = deal(heaviest, _hashed_loads(histories, n_shards, hashed), costs)
    chosen = F.coalesce("dealt_to", hashed).alias("shard_id")
    table = F.broadcast(histories.sparkSession.createDataFrame(dealt))
    return histories.join(table, "user_id", how="left").select("user_id", "history", "held", chosen)


def hashed_to(n: int, seed: int) -> Column:
    """A number below n that user_id alone decides."""
    return F.pmod(F.xxhash64("user_id", F.lit(seed)), F.lit(n)).cast("int")


def deal(heaviest: pd.DataFrame, loads: pd.DataFrame, costs: Costs) -> pd.DataFrame:
    """Deal the heaviest users out, each to the shard with the fewest bytes so far.

    heaviest: user_id, n_edges, hashed (shard by hash), heaviest first. loads: n_users, n_edges by
    shard, the heaviest users included. Returns user_id, dealt_to.
    """
    theirs = heaviest.groupby("hashed").agg(n_users=("user_id", "size"), n_edges=("n_edges", "sum"))
    others = loads.sub(theirs.reindex(loads.index, fill_value=0))
    shards = [
        (costs.shard_bytes(n_users, n_edges), shard)
        for shard, (n_users, n_edges) in enumerate(
            zip(others["n_users"], others["n_edges"], strict=True)
        )
    ]
    heapq.heapify(shards)
    dealt = []
    for n_edges in heaviest["n_edges"]:
        size, shard = shards[0]
        dealt.append(shard)
        heapq.heapreplace(shards, (size + costs.shard_bytes(1, n_edges), shard))
    return pd.DataFrame({"user_id": heaviest["user_id"], "dealt_to": np.array(dealt, np.int32)})


def cut_evenly(sizes: np.ndarray, n_parts: int) -> np.ndarray:
    """Cut a sequence into contiguous parts of about equal size, none of them empty.

    sizes: at least n_parts of them. Returns int32, the part of each: a part exceeds the mean by one
    entry at most, where no entry is larger than the mean.
    """
    places = np.arange(n_parts)
    middles = np.cumsum(sizes) - sizes / 2
    starts = np.searchsorted(middles, sizes.sum() * places / n_parts)
    starts = np.maximum.accumulate(starts - places) + places  # each part has an entry
    starts = np.minimum(starts, len(sizes) - n_parts + places)
    found = np.searchsorted(starts, np.arange(len(sizes)), side="right") - 1
    return found.astype(np.int32)


def _hashed_loads(histories: DataFrame, n_shards: int, hashed: Column) -> pd.DataFrame:
    """n_users and n_edges of each shard if every user went where the hash says."""
    loads = histories.groupBy(hashed.alias("shard_id")).agg(
        F.count("*").alias("n_users"), F.sum(F.size("history")).alias("n_edges")
    )
    by_shard = loads.toPandas().set_index("shard_id")
    return by_shard.reindex(range(n_shards), fill_value=0)
