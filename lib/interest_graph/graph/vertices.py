"""Vertex ids and the vertices that edges speak of."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window, WindowSpec
from pyspark.sql import functions as F

_KINDS = {"u": "user", "i": "item", "t": "interest"}


def user_vertex(user_id: Column) -> Column:
    """`u:<user_id>`."""
    return F.concat(F.lit("u:"), user_id)


def item_vertex(item_id: Column) -> Column:
    """`i:<item_id>`."""
    return F.concat(F.lit("i:"), item_id)


def interest_vertex(name: Column) -> Column:
    """`t:<category or tag>`."""
    return F.concat(F.lit("t:"), name)


def vertices_of(edges: DataFrame, items: DataFrame | None) -> DataFrame:
    """The ends of `edges` (src, dst): a vertex without an edge does not exist.

    items: item_id, title; gives items their names. Returns id, kind, key, name.
    """
    ids = edges.select(F.explode(F.array("src", "dst")).alias("id")).distinct()
    kind = F.create_map(*[F.lit(part) for pair in _KINDS.items() for part in pair])
    key = F.expr("substring(id, 3)")
    vertices = ids.select("id", kind[F.substring("id", 1, 1)].alias("kind"), key.alias("key"))
    if items is None:
        return vertices.withColumn("name", _own_name())
    titles = items.select(item_vertex(F.col("item_id")).alias("id"), "title")
    named = vertices.join(titles, "id", how="left")
    return named.select("id", "kind", "key", F.coalesce("title", _own_name()).alias("name"))


def with_dense_ids(ids: DataFrame) -> DataFrame:
    """Number the distinct strings of `ids` (id) by their order: id, index BIGINT from 0.

    The number is the rank in sorted order, whatever the partitioning; GraphFrames' own numbering
    changes when it is computed again. One task sorts them: a million takes about two seconds.
    """
    in_order = Window.orderBy("id")
    return ids.select("id").distinct().withColumn("index", rank_from_zero(in_order))


def rank_from_zero(order: WindowSpec) -> Column:
    """Position in `order`, BIGINT from 0."""
    return (F.row_number().over(order) - 1).cast("bigint")


def _own_name() -> Column:
    """An interest is its own name; a user has none, an item without a title neither."""
    return F.when(F.col("kind") == "interest", F.col("key"))
