"""Parts of the interest graph that are small enough to draw."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from interest_graph.ids import ITEM, USER, is_of_kind, vertex

N_COMMUNITIES, N_NAMES = 12, 3


def largest_communities(structure: DataFrame) -> DataFrame:
    """The N_COMMUNITIES largest communities: community, n_users, n_items, n_vertices.

    structure: id, modularity_community; rows of graph.communities of one version. Of equal sizes
    the smaller community number comes first.
    """
    groups = structure.groupBy(F.col("modularity_community").alias("community"))
    sizes = groups.agg(
        F.count_if(is_of_kind(F.col("id"), USER)).alias("n_users"),
        F.count_if(is_of_kind(F.col("id"), ITEM)).alias("n_items"),
        F.count("*").alias("n_vertices"),
    )
    joined = sizes.where("n_vertices > 1")
    return joined.orderBy(F.desc("n_vertices"), "community").limit(N_COMMUNITIES)


def best_known_items(
    structure: DataFrame, vertices: DataFrame, communities: list[int]
) -> DataFrame:
    """Names of the N_NAMES items with the highest weighted PageRank: community, names.

    structure: id, modularity_community, weighted_pagerank; vertices: id, kind, key, name. Both of
    the same version.
    """
    label = F.col("modularity_community")
    chosen = structure.where(label.isin(communities) & is_of_kind(F.col("id"), ITEM))
    best_first = Window.partitionBy(label).orderBy(F.desc("weighted_pagerank"), "id")
    ranked = chosen.withColumn("_rank", F.row_number().over(best_first))
    best = ranked.where(F.col("_rank") <= N_NAMES).join(vertices, "id", how="inner")
    entry = F.struct("_rank", shown_name().alias("name"))
    listed = best.groupBy(label.alias("community")).agg(
        F.sort_array(F.collect_list(entry)).alias("_n")
    )
    return listed.select("community", F.col("_n.name").alias("names"))


def weights_between(edges: DataFrame, structure: DataFrame, communities: list[int]) -> DataFrame:
    """Weight of the user-item edges between each two communities: src < dst, weight.

    edges: rows of graph.edges of the same version as structure.
    """
    label = F.col("modularity_community")
    placed = structure.where(label.isin(communities)).select("id", label.alias("_label"))
    src = placed.withColumnsRenamed({"id": "src", "_label": "_src"})
    dst = placed.withColumnsRenamed({"id": "dst", "_label": "_dst"})
    between = edges.where("kind = 'user_item'").join(src, "src", how="inner")
    ends = between.join(dst, "dst", how="inner").where("_src <> _dst")
    pair = (F.least("_src", "_dst").alias("src"), F.greatest("_src", "_dst").alias("dst"))
    return ends.select(*pair, "weight").groupBy("src", "dst").agg(F.sum("weight").alias("weight"))


def shown_name() -> Column:
    """Column: the display name of a row of graph.vertices, its name or else its key.

    A key of digits alone gets its kind as prefix: "item 17", because "17" would look like a count.
    """
    numbered = F.concat("kind", F.lit(" "), "key")
    return F.coalesce("name", F.when(F.col("key").rlike("^[0-9]+$"), numbered), "key")


N_ITEMS, N_INTERESTS = 10, 8


def heaviest_items(edges: DataFrame, user_id: str) -> DataFrame:
    """The user's N_ITEMS heaviest user-item edges: src, dst, kind, weight; ties: smaller id first.

    edges: rows of graph.edges of one version.
    """
    own = edges.where((F.col("kind") == "user_item") & (F.col("src") == vertex(USER, user_id)))
    strongest = own.orderBy(F.desc("weight"), "dst").limit(N_ITEMS)
    return strongest.select("src", "dst", "kind", "weight")


def nearest_items(edges: DataFrame, item_id: str) -> DataFrame:
    """The item's N_ITEMS heaviest edges to items: src, dst, kind, weight; ties: smaller id."""
    is_alike = F.col("kind").isin("item_item", "item_text")
    own = edges.where(is_alike & (F.col("src") == vertex(ITEM, item_id)))
    best = own.groupBy("src", "dst").agg(
        F.max_by("kind", "weight").alias("kind"), F.max("weight").alias("weight")
    )
    return best.orderBy(F.desc("weight"), "dst").limit(N_ITEMS)


def heaviest_users(edges: DataFrame, item_id: str) -> DataFrame:
    """The item's N_ITEMS heaviest user-item edges: src, dst, kind, weight; ties: smaller id."""
    own = edges.where((F.col("kind") == "user_item") & (F.col("dst") == vertex(ITEM, item_id)))
    return (
        own.orderBy(F.desc("weight"), "src").limit(N_ITEMS).select("src", "dst", "kind", "weight")
    )


def links_among(edges: DataFrame, item_vertices: Sequence[str]) -> DataFrame:
    """Edges among these items, and to the N_INTERESTS interests that most of them have.

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
