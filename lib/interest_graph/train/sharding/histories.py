"""Users' histories by item number, from which shards are packed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from pyspark.sql import DataFrame
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
    rows = _gather(pairs, items.numbers.select("item_id", "item")).persist()
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
    numbers = _numbered(counts).persist()
    try:
        return _items(numbers)
    except BaseException:
        numbers.unpersist()
        raise


def _numbered(counts: DataFrame) -> DataFrame:
    """Add `item`, the place of item_id in sorted order: INT from 0.

    One task sorts the ids (a million take about two seconds, and more spill to disk): so the
    numbers are the same if a lost part of the cache is computed again, which the parts of a range
    partitioning, drawn from a sample, are not.
    """
    ordered = counts.repartition(1).sortWithinPartitions("item_id")
    return ordered.withColumn("item", F.monotonically_increasing_id().cast("int"))


def _items(numbers: DataFrame) -> Items:
    """The items, of which only numbers come to the driver."""
    found = numbers.select("item", "degree", "all_degree", "n_wrong").toPandas()
    n_wrong = int(found["n_wrong"].sum())
    if n_wrong:
        rows = numbers.where("n_wrong > 0").orderBy("item").select("item_id").take(5)
        samples = [row["item_id"] for row in rows]
        raise DataError("edge weights must be finite and above 0", n_wrong, samples)
    if not found["degree"].any():
        raise TrainingError("there are no user-item edges to train on")
    found = found.sort_values("item")
    return Items(
        numbers=numbers,
        degrees=found["degree"].to_numpy(np.float64),
        all_degrees=found["all_degree"].to_numpy(np.float64),
    )


def _gather(pairs: DataFrame, numbers: DataFrame) -> DataFrame:
    entry = F.struct("item", F.col("weight").cast("float").alias("weight"))
    is_held = F.col("is_held_out")
    return (
        pairs.join(numbers, "item_id")
        .groupBy("user_id")
        .agg(
            F.sort_array(F.collect_list(F.when(~is_held, entry))).alias("history"),
            F.sort_array(F.collect_list(F.when(is_held, entry))).alias("held"),
        )
    )
