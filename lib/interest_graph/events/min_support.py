"""Minimum support: events of users and items that have too few events."""

from __future__ import annotations

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

LOW_USER = "low_user_support"
LOW_ITEM = "low_item_support"


def mark_low_support(events: DataFrame, *, min_user: int, min_item: int) -> DataFrame:
    """Set `drop_reason` of events whose user has fewer than min_user or item than min_item events.

    Both are counted once, over the given events: the events that are dropped for their user still
    count for their item.
    """
    per_user = F.count(F.lit(1)).over(Window.partitionBy("user_id"))
    counted = events.withColumn("_of_user", per_user if min_user > 1 else F.lit(min_user))
    per_item = F.count(F.lit(1)).over(Window.partitionBy("item_id"))
    counted = counted.withColumn("_of_item", per_item if min_item > 1 else F.lit(min_item))
    reason = F.when(F.col("_of_user") < min_user, F.lit(LOW_USER)).when(
        F.col("_of_item") < min_item, F.lit(LOW_ITEM)
    )
    return counted.withColumn("drop_reason", reason).drop("_of_user", "_of_item")
