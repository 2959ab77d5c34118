"""Histories of all known users, and popular items for users whom the model cannot serve."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from interest_graph.recommend.topk import top_k


def gather_all_histories(
    edges: DataFrame, *, users: DataFrame | None = None, interactions: DataFrame | None = None
) -> DataFrame:
    """The items of each known user: user_id, items (in order of id), weights; one row per user.

    edges: user_id, item_id, weight of the graph; interactions: user_id, item_id: items whose edge
    was pruned are included with weight 0, because the user has seen them; users: user_id: users
    without any item are included with empty lists.
    """
    pairs = edges.select("user_id", "item_id", F.col("weight").cast("float"))
    if interactions is not None:
        met = interactions.select("user_id", "item_id").distinct()
        pairs = pairs.unionByName(met.withColumn("weight", F.lit(0.0).cast("float")))
    if users is not None:
        nothing = F.lit(None).cast("string").alias("item_id")
        named = users.select("user_id", nothing, F.lit(0.0).cast("float").alias("weight"))
        pairs = pairs.unionByName(named)
    heaviest = pairs.groupBy("user_id", "item_id").agg(F.max("weight").alias("weight"))
    # collect_list ignores nulls, so a user without items gets an empty list.
    entry = F.when(F.col("item_id").isNotNull(), F.struct("item_id", "weight"))
    by_user = heaviest.groupBy("user_id").agg(F.sort_array(F.collect_list(entry)).alias("_pairs"))
    items, weights = F.col("_pairs.item_id"), F.col("_pairs.weight")
    return by_user.select("user_id", items.alias("items"), weights.alias("weights"))


def rank_popular(users: DataFrame, edges: DataFrame, *, k: int) -> DataFrame:
    """The k items with the largest summed edge weight, for every user, without items seen before.

    users: user_id, items (seen), weights; edges: user_id, item_id, weight, decayed to the as-of
    time, so that the sum is the popularity at that time. Returns user_id, rank, item_id, score.
    """
    popularity = edges.groupBy(F.col("item_id").alias("key")).agg(F.sum("weight").alias("weight"))
    # One dimension: the inner product of 1 and the popularity is the score.
    item_vectors = popularity.select("key", F.array(F.col("weight").cast("float")).alias("vector"))
    one = F.array(F.lit(1.0).cast("float")).alias("vector")
    user_vectors = users.select(F.col("user_id").alias("key"), one)
    return top_k(users, k=k, user_vectors=user_vectors, item_vectors=item_vectors)
