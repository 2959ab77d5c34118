"""Popular items for users of whom the graph knows nothing."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from interest_graph.recommend.topk import top_k


def find_cold_users(
    histories: DataFrame, *, users: DataFrame | None, interactions: DataFrame | None
) -> DataFrame:
    """Users without a history in the graph, with the items that they have met all the same.

    histories: user_id, ...; users: user_id, ... of silver.users; interactions: user_id, item_id,
    ... of silver.interactions, whose edges were pruned. Either may be absent.
    Returns user_id, items, weights; one row per user.
    """
    met = [] if interactions is None else [interactions.select("user_id", "item_id")]
    known = [] if users is None else [users.select("user_id", F.lit(None).alias("item_id"))]
    nobody = histories.select("user_id", F.lit(None).cast("string").alias("item_id")).limit(0)
    pairs = nobody
    for part in met + known:
        pairs = pairs.unionByName(part)
    cold = pairs.join(histories.select("user_id"), "user_id", how="left_anti")
    items = cold.groupBy("user_id").agg(F.sort_array(F.collect_set("item_id")).alias("items"))
    one_each = F.transform("items", lambda _: F.lit(1.0).cast("float"))
    return items.withColumn("weights", one_each)


def rank_popular(cold_users: DataFrame, edges: DataFrame, *, k: int) -> DataFrame:
    """The k items with the largest summed edge weight, for every user, without what they have met.

    cold_users: user_id, items, weights; edges: user_id, item_id, weight (decayed to the as-of time,
    so that the sum says what is popular then). Returns user_id, rank, item_id, score.
    """
    popularity = edges.groupBy(F.col("item_id").alias("key")).agg(F.sum("weight").alias("weight"))
    # One dimension: the inner product of 1 and the popularity is the score.
    item_vectors = popularity.select("key", F.array(F.col("weight").cast("float")).alias("vector"))
    one = F.array(F.lit(1.0).cast("float")).alias("vector")
    user_vectors = cold_users.select(F.col("user_id").alias("key"), one)
    return top_k(cold_users, k=k, user_vectors=user_vectors, item_vectors=item_vectors)
