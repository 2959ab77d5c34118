"""What lies around one user or item in the interest graph, small enough to draw."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

N_ITEMS, N_INTERESTS = 10, 8


def heaviest_items(edges: DataFrame, user_id: str) -> DataFrame:
    """The user's heaviest user-item edges: src, dst, kind, weight; ties go to the smaller id.

    edges: rows of graph.edges of one version.
    """
    own = edges.where((F.col("kind") == "user_item") & (F.col("src") == f"u:{user_id}"))
    strongest = own.orderBy(F.desc("weight"), "dst").limit(N_ITEMS)
    return strongest.select("src", "dst", "kind", "weight")


def nearest_items(edges: DataFrame, item_id: str) -> DataFrame:
    """The item's heaviest edges to items: src, dst, kind, weight; ties go to the smaller id."""
    is_alike = F.col("kind").isin("item_item", "item_text")
    own = edges.where(is_alike & (F.col("src") == f"i:{item_id}"))
    best = own.groupBy("src", "dst").agg(
        F.max_by("kind", "weight").alias("kind"), F.max("weight").alias("weight")
    )
    return best.orderBy(F.desc("weight"), "dst").limit(N_ITEMS)


def heaviest_users(edges: DataFrame, item_id: str) -> DataFrame:
    """The item's heaviest user-item edges: src, dst, kind, weight; ties go to the smaller id."""
    own = edges.where((F.col("kind") == "user_item") & (F.col("dst") == f"i:{item_id}"))
    return (
        own.orderBy(F.desc("weight"), "src").limit(N_ITEMS).select("src", "dst", "kind", "weight")
    )


def links_among(edges: DataFrame, item_vertices: Sequence[str]) -> DataFrame:
    """Edges of these items to one another and to the interests that most of them share.

    item_vertices: vertex ids, a few dozen. Returns src, dst, kind, weight.
    """
    listed = list(item_vertices)
    between = edges.where(
        (F.col("kind") == "item_item") & F.col("src").isin(listed) & F.col("dst").isin(listed)
    )
    about = edges.where((F.col("kind") == "item_interest") & F.col("src").isin(listed))
    shared = about.groupBy("dst").agg(F.count("*").alias("_n"))
    common = shared.orderBy(F.desc("_n"), "dst").limit(N_INTERESTS).select("dst")
    kept = about.join(common, "dst", how="left_semi")
    columns = ["src", "dst", "kind", "weight"]
    return between.select(*columns).unionByName(kept.select(*columns))
