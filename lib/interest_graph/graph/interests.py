"""Edges of all kinds but user_item and item_text: to interests, by projection, social edges.

An interest is a vertex for a category, tag or semantic cluster. All functions that return edges
give the columns EDGE_COLUMNS of graph/weigh.py.
"""

from __future__ import annotations

from datetime import datetime

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from interest_graph.graph.fixed_point import exact_sum
from interest_graph.graph.prune import clean_edges, keep_heaviest_edges
from interest_graph.graph.weigh import EDGE_COLUMNS
from interest_graph.ids import interest_vertex, item_vertex, user_vertex


def item_interest_edges(items: DataFrame) -> DataFrame:
    """An edge from each item to each of its n distinct categories, with weight 1 / n.

    items: item_id, categories; blank categories are ignored. n_events is 0.
    """
    named = F.array_distinct(F.filter("categories", lambda name: F.length(F.trim(name)) > 0))
    listed = items.select("item_id", named.alias("_names")).where(F.size("_names") > 0)
    each = listed.select(
        "item_id", F.explode("_names").alias("_name"), F.size("_names").alias("_n")
    )
    return each.select(
        item_vertex(F.col("item_id")).alias("src"),
        interest_vertex(F.col("_name")).alias("dst"),
        F.lit("item_interest").alias("kind"),
        (F.lit(1.0) / F.col("_n")).alias("weight"),
        *no_events(),
    )


def user_interest_edges(
    user_item: DataFrame, item_interest: DataFrame, *, per_user: int
) -> DataFrame:
    """The `per_user` heaviest edges of each user to interests.

    weight(user, interest) = sum over items of weight(user, item) * weight(item, interest). Both
    inputs have EDGE_COLUMNS.
    """
    about = item_interest.select(
        F.col("src").alias("_item"),
        F.col("dst").alias("_interest"),
        F.col("weight").alias("_share"),
    )
    paths = user_item.join(about, F.col("dst") == F.col("_item"), how="inner")
    summed = paths.groupBy("src", F.col("_interest").alias("dst")).agg(
        exact_sum(F.col("weight") * F.col("_share")).alias("weight"),
        F.sum("n_events").alias("n_events"),
        F.min("first_ts").alias("first_ts"),
        F.max("last_ts").alias("last_ts"),
    )
    positive = summed.where("weight > 0")
    heaviest = keep_heaviest_edges(positive, per_vertex=per_user)
    return heaviest.withColumn("kind", F.lit("user_interest")).select(*EDGE_COLUMNS)


def item_item_edges(projected: DataFrame) -> DataFrame:
    """Edges between items from rows of `project`; n_events is the number of shared users."""
    return _projected_edges(projected, "item_item")


def user_user_edges(projected: DataFrame) -> DataFrame:
    """Edges between users from rows of `project`; n_events is the number of shared items."""
    return _projected_edges(projected, "user_user")


def session_edges(interactions: DataFrame, *, as_of: datetime) -> DataFrame:
    """Sessions as baskets for `project`: src (session_id), dst (item vertex), weight (events).

    interactions: session_id, item_id, event_ts; events after as_of are ignored.
    """
    seen = interactions.where(F.col("event_ts") <= F.lit(as_of))
    ends = seen.select(F.col("session_id").alias("src"), item_vertex(F.col("item_id")).alias("dst"))
    return ends.groupBy("src", "dst").agg(F.count("*").cast("double").alias("weight"))


def _projected_edges(projected: DataFrame, kind: str) -> DataFrame:
    shared = projected.withColumn("kind", F.lit(kind)).withColumn("n_events", F.col("n_shared"))
    never = F.lit(None).cast("timestamp")
    return shared.withColumn("first_ts", never).withColumn("last_ts", never).select(*EDGE_COLUMNS)


def social_edges(given: DataFrame) -> DataFrame:
    """Social edges from user_id, friend_id, weight; loops are dropped, repeated pairs added up."""
    edges = given.select(
        user_vertex(F.col("user_id")).alias("src"),
        user_vertex(F.col("friend_id")).alias("dst"),
        F.lit("social").alias("kind"),
        "weight",
        *no_events(),
    )
    return clean_edges(edges).select(*EDGE_COLUMNS)


def no_events() -> list[Column]:
    """n_events (0), first_ts and last_ts (null) for edges that do not come from events."""
    never = F.lit(None).cast("timestamp")
    return [
        F.lit(0).cast("bigint").alias("n_events"),
        never.alias("first_ts"),
        never.alias("last_ts"),
    ]
