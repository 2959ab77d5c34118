"""Users dealt to shards of equal bytes: by hash, or along an order."""

from __future__ import annotations

import heapq

import numpy as np
import pandas as pd
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from interest_graph.train.budget import Costs

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
