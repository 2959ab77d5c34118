"""The shards of a graph as the settings ask for them: how many, and whose users share one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from interest_graph.arrays import Arrays, Shipped, shipping
from interest_graph.config.train import TrainConfig
from interest_graph.train.budget import Costs, shards_needed
from interest_graph.train.community import group_centres, nearest_group
from interest_graph.train.dealing import cut_evenly, hashed_to
from interest_graph.train.exchange import gram, user_rows
from interest_graph.train.histories import Histories, read_histories
from interest_graph.train.normalise import CSR_NAMES
from interest_graph.train.shard import ShardedGraph, pack_shards, shard_by_hash
from interest_graph.train.spectrum import leading_spectrum

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
