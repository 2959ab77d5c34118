"""Users' histories by item number, from which shards are packed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from interest_graph.errors import DataError, TrainingError
from interest_graph.train.distributed.sharded_graph import Items
from interest_graph.train.edges import with_validation
from interest_graph.train.sharding.memory_model import GraphSize


@dataclass(frozen=True)
class Histories:
    """The pairs of each user, the numbered items and the size of the graph.

    rows: user_id, history and held (held-out pairs) ARRAY<STRUCT<item, weight>> in order of item
    numbers; cached.
    """

    rows: DataFrame
    items: Items
    size: GraphSize


def read_histories(edges: DataFrame, held_out: DataFrame | None = None) -> Histories:
    """Number the items and gather each user's pairs.

    edges: user_id, item_id, weight > 0, one row per pair. held_out: held-out pairs, if any.
    Raises TrainingError without edges, DataError for weights that are not above 0.
    """
    pairs = with_validation(edges, held_out)
    items = count_items(pairs)
    rows = _gather(pairs, _index(edges.sparkSession, items)).persist()
    n_edges = F.size("history")
    found = rows.agg(F.count("*"), F.sum(n_edges), F.max(n_edges)).collect()[0]
    n_users, total, most = map(int, found)
    return Histories(rows, items, GraphSize(n_users, total, len(items), most))


def count_items(pairs: DataFrame) -> Items:
    """The items of `with_validation`'s pairs. Raises TrainingError, DataError."""
    weight = F.col("weight").cast("double")
    is_wrong = weight.isNull() | F.isnan(weight) | (weight <= 0) | (weight == float("inf"))
    counts = pairs.groupBy("item_id").agg(
        F.sum(F.when(~F.col("is_held_out"), weight).otherwise(0.0)).alias("degree"),
        F.sum(weight).alias("all_degree"),
        F.count(F.when(is_wrong, 1)).alias("n_wrong"),
    )
    found = counts.toPandas().sort_values("item_id", ignore_index=True)
    n_wrong = int(found["n_wrong"].sum())
    if n_wrong:
        samples = found.loc[found["n_wrong"] > 0, "item_id"].tolist()
        raise DataError("edge weights must be finite and above 0", n_wrong, samples)
    if not found["degree"].any():
        raise TrainingError("there are no user-item edges to train on")
    return Items(
        ids=found["item_id"].tolist(),
        degrees=found["degree"].to_numpy(np.float64),
        all_degrees=found["all_degree"].to_numpy(np.float64),
    )


def _index(spark: SparkSession, items: Items) -> DataFrame:
    numbers = pd.DataFrame({"item_id": items.ids, "item": np.arange(len(items), dtype=np.int32)})
    return F.broadcast(spark.createDataFrame(numbers))


def _gather(pairs: DataFrame, index: DataFrame) -> DataFrame:
    entry = F.struct("item", F.col("weight").cast("float").alias("weight"))
    is_held = F.col("is_held_out")
    return (
        pairs.join(index, "item_id")
        .groupBy("user_id")
        .agg(
            F.sort_array(F.collect_list(F.when(~is_held, entry))).alias("history"),
            F.sort_array(F.collect_list(F.when(is_held, entry))).alias("held"),
        )
    )
