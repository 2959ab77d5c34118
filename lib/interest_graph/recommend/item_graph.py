"""The parts of the interest graph that recommending needs, by item and user id."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from interest_graph.ids import pairs_of_kind


def item_item_edges(edges: DataFrame) -> DataFrame:
    """item_id, other_id, weight of the item-item edges in graph.edges."""
    return pairs_of_kind(edges, "item_item", "item_id", "other_id")


def item_interests(edges: DataFrame, vertices: DataFrame) -> DataFrame:
    """item_id, interest (its name), weight of the item-interest edges in graph.edges."""
    tagged = pairs_of_kind(edges, "item_interest", "item_id", "interest_id")
    named = names_of(vertices, "interest").withColumnsRenamed(
        {"key": "interest_id", "name": "interest"}
    )
    return tagged.join(named, "interest_id", how="inner").drop("interest_id")


def names_of(vertices: DataFrame, kind: str) -> DataFrame:
    """key, name of the vertices of one kind; the key where no name is known, on one line."""
    name = F.coalesce(F.nullif(F.trim("name"), F.lit("")), F.col("key"))
    one_line = F.regexp_replace(name, r"\s+", " ").alias("name")
    return vertices.where(F.col("kind") == kind).select("key", one_line)
