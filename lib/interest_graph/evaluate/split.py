"""Splits of interactions into train and test: random pairs within items, by time, or by source."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from interest_graph.config import SplitConfig
from interest_graph.errors import DataError

_PAIR = ("user_id", "item_id")


@dataclass(frozen=True)
class Split:
    """A train part, which models may learn from, and a test part, which they are scored on.

    train: rows of the interactions; test: distinct user_id, item_id pairs that are not in train,
    also of items and users that train does not have; as_of: end of the train part, used as the
    `as_of` of edge weights.
    """

    name: str
    train: DataFrame
    test: DataFrame
    as_of: datetime


def make_split(interactions: DataFrame, config: SplitConfig, as_of: datetime) -> Split:
    """Split the interactions up to `as_of`.

    interactions: one row per event; user_id, item_id, event_ts, source at least. The test part has
    distinct (user, item) pairs; those that are in train too are dropped. Raises DataError when a
    split by time has no interactions.
    """
    seen = interactions.where(F.col("event_ts") <= F.lit(as_of))
    if config.kind == "time":
        train, test, until = _split_by_time(seen, config.train_fraction)
    elif config.kind == "given":
        train = seen.where(F.col("source") == F.lit(config.train_source))
        test, until = seen.where(F.col("source") == F.lit(config.test_source)), as_of
    else:
        pairs = seen.select(*_PAIR).distinct()
        kept, test = split_within_items(pairs, config.train_fraction, config.seed)
        train, until = seen.join(kept, on=list(_PAIR), how="left_semi"), as_of
    new = test.select(*_PAIR).distinct().join(train, on=list(_PAIR), how="left_anti")
    return Split(config.name, train, new, until)


def split_within_items(
    pairs: DataFrame, train_fraction: float, seed: int
) -> tuple[DataFrame, DataFrame]:
    """Split each item's n pairs at random: round_half_even(train_fraction * n) of them to train.

    pairs: user_id, item_id, one row per pair; further columns are kept. Returns (train, test). The
    order is by a hash of the pair and the seed, then by user id: the same for any partitioning.
    """
    of_item = Window.partitionBy("item_id")
    draw = F.xxhash64(F.lit(seed), *_PAIR)
    drawn = pairs.withColumn("_place", F.row_number().over(of_item.orderBy(draw, "user_id")))
    sized = drawn.withColumn("_n_train", F.bround(train_fraction * F.count("*").over(of_item)))
    is_train = F.col("_place") <= F.col("_n_train")
    train, test = sized.where(is_train), sized.where(~is_train)
    return train.drop("_place", "_n_train"), test.drop("_place", "_n_train")


def find_split_ts(interactions: DataFrame, train_fraction: float) -> datetime:
    """The time (UTC, a whole second) at which the test part starts.

    It is the second of event number floor(train_fraction * n), from 0, of the n events in order of
    time. All events of that second are in the test part, so that equal times are never divided.
    """
    row = math.floor(train_fraction * interactions.count())
    # First the day, then the second within it: neither grouping grows with the number of events.
    day, n_before = _bucket_of_row(interactions, F.to_date("event_ts"), row)
    of_day = interactions.where(F.to_date("event_ts") == F.lit(day))
    second, _ = _bucket_of_row(of_day, F.unix_timestamp("event_ts"), row - n_before)
    return datetime.fromtimestamp(second, UTC)


def count_unknown(split: Split) -> dict[str, int]:
    """Count the test pairs, and those of items and of users that the train part does not have."""
    items = split.train.select("item_id", F.lit(True).alias("_item")).distinct()
    users = split.train.select("user_id", F.lit(True).alias("_user")).distinct()
    known = split.test.join(items, on="item_id", how="left").join(users, on="user_id", how="left")
    counts = known.agg(
        F.count("*").alias("hold_out"),
        F.count_if(F.col("_item").isNull()).alias("hold_out_unknown_items"),
        F.count_if(F.col("_user").isNull()).alias("hold_out_unknown_users"),
    ).first()
    return counts.asDict() if counts is not None else {}


def _split_by_time(
    interactions: DataFrame, train_fraction: float
) -> tuple[DataFrame, DataFrame, datetime]:
    if interactions.isEmpty():
        raise DataError("no interactions to split by time", 0)
    split_ts = find_split_ts(interactions, train_fraction)
    is_train = F.col("event_ts") < F.lit(split_ts)
    return interactions.where(is_train), interactions.where(~is_train), split_ts


def _bucket_of_row(frame: DataFrame, bucket: Column, row: int) -> tuple[Any, int]:
    """The bucket of row number `row` (from 0) in the order of buckets, and the rows before it."""
    counts = frame.groupBy(bucket.alias("_bucket")).agg(F.count("*").alias("_n"))
    through = counts.withColumn("_through", F.sum("_n").over(Window.orderBy("_bucket")))
    found = through.where(F.col("_through") > row).orderBy("_bucket").first()
    if found is None:
        raise ValueError(f"row {row} lies beyond the frame's end")
    return found["_bucket"], found["_through"] - found["_n"]
