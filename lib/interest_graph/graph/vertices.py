"""Vertices of a graph, from the ends of its edges: names, attributes, activity, numbers."""

from __future__ import annotations

from functools import reduce

from pyspark.sql import Column, DataFrame, Window, WindowSpec
from pyspark.sql import functions as F

from interest_graph.ids import item_vertex, user_vertex, vertex_key, vertex_kind


def vertices_of(edges: DataFrame, items: DataFrame | None) -> DataFrame:
    """All vertices with an edge: id, kind, key (the id without the prefix of its kind), name.

    edges: src, dst; items: item_id, title. Names: of items their title, of interests their key, of
    users and items without title null.
    """
    ids = edges.select(F.explode(F.array("src", "dst")).alias("id")).distinct()
    kind, key = vertex_kind(F.col("id")), vertex_key(F.col("id"))
    vertices = ids.select("id", kind.alias("kind"), key.alias("key"))
    if items is None:
        return vertices.withColumn("name", _own_name())
    titles = items.select(item_vertex(F.col("item_id")).alias("id"), "title")
    named = vertices.join(titles, "id", how="left")
    return named.select("id", "kind", "key", F.coalesce("title", _own_name()).alias("name"))


def with_features(
    vertices: DataFrame,
    user_item: DataFrame,
    *,
    users: DataFrame | None,
    items: DataFrame | None,
    features: DataFrame | None,
) -> DataFrame:
    """Add attributes, vector, n_events, n_neighbours, first_ts, last_ts; null where unknown.

    vertices: id; user_item: user_item edges before pruning, for the activity; users: user_id,
    attributes; items: item_id, attributes; features: item_id, vector of one encoder.
    """
    known = vertices.join(_activity(user_item), "id", how="left")
    known = known.join(_attributes(known, users, items), "id", how="left")
    if features is None:
        return known.withColumn("vector", F.lit(None).cast("array<float>"))
    vectors = features.select(item_vertex(F.col("item_id")).alias("id"), "vector")
    return known.join(vectors, "id", how="left")


def _activity(user_item: DataFrame) -> DataFrame:
    """Activity of users and items: id, n_events, n_neighbours, first_ts, last_ts."""
    ends = user_item.select(
        F.explode(F.array("src", "dst")).alias("id"), "n_events", "first_ts", "last_ts"
    )
    return ends.groupBy("id").agg(
        F.sum("n_events").alias("n_events"),
        F.count("*").alias("n_neighbours"),
        F.min("first_ts").alias("first_ts"),
        F.max("last_ts").alias("last_ts"),
    )


def _attributes(vertices: DataFrame, users: DataFrame | None, items: DataFrame | None) -> DataFrame:
    """Attributes by vertex of the given users and items: id, attributes."""
    given = [
        frame.select(vertex(F.col(key)).alias("id"), "attributes")
        for frame, vertex, key in (
            (users, user_vertex, "user_id"),
            (items, item_vertex, "item_id"),
        )
        if frame is not None
    ]
    unknown = F.lit(None).cast("map<string, string>").alias("attributes")
    nobody = vertices.select("id", unknown).limit(0)
    return reduce(DataFrame.unionByName, given, nobody)


def with_dense_ids(ids: DataFrame) -> DataFrame:
    """Number the distinct ids by their rank in ascending order: id, index BIGINT from 0.

    The numbers do not depend on the partitioning; those that GraphFrames gives may change when a
    plan is computed again. One task sorts all ids: a million takes about two seconds.
    """
    in_order = Window.orderBy("id")
    return ids.select("id").distinct().withColumn("index", rank_from_zero(in_order))


def rank_from_zero(order: WindowSpec) -> Column:
    """Column: the position in this order, BIGINT from 0."""
    return (F.row_number().over(order) - 1).cast("bigint")


def _own_name() -> Column:
    """Column: the key for interests, null for other kinds."""
    return F.when(F.col("kind") == "interest", F.col("key"))
