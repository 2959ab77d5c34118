"""The largest communities of the interest graph, few enough to draw."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

N_COMMUNITIES, N_NAMES = 12, 3


def largest_communities(structure: DataFrame) -> DataFrame:
    """community, n_users, n_items, n_vertices of the largest ones; ties go to the smaller number.

    structure: id, modularity_community; rows of graph.communities of one version.
    """
    groups = structure.groupBy(F.col("modularity_community").alias("community"))
    sizes = groups.agg(
        F.count_if(F.col("id").startswith("u:")).alias("n_users"),
        F.count_if(F.col("id").startswith("i:")).alias("n_items"),
        F.count("*").alias("n_vertices"),
    )
    joined = sizes.where("n_vertices > 1")
    return joined.orderBy(F.desc("n_vertices"), "community").limit(N_COMMUNITIES)


def best_known_items(
    structure: DataFrame, vertices: DataFrame, communities: list[int]
) -> DataFrame:
    """community, names: titles of each one's items of highest weighted PageRank, highest first.

    vertices: id, kind, key, name; rows of graph.vertices of the same version.
    """
    label = F.col("modularity_community")
    chosen = structure.where(label.isin(communities) & F.col("id").startswith("i:"))
    best_first = Window.partitionBy(label).orderBy(F.desc("weighted_pagerank"), "id")
    ranked = chosen.withColumn("_rank", F.row_number().over(best_first))
    best = ranked.where(F.col("_rank") <= N_NAMES).join(vertices, "id", how="inner")
    entry = F.struct("_rank", shown_name().alias("name"))
    listed = best.groupBy(label.alias("community")).agg(
        F.sort_array(F.collect_list(entry)).alias("_n")
    )
    return listed.select("community", F.col("_n.name").alias("names"))


def weights_between(edges: DataFrame, structure: DataFrame, communities: list[int]) -> DataFrame:
    """src, dst (communities, src < dst), weight of the user-item edges between them.

    edges: rows of graph.edges of the same version.
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
    """What people read for a row of graph.vertices: its name, else its key; a number says of what.

    "item 17" rather than "17": an id of digits alone would read as a count.
    """
    numbered = F.concat("kind", F.lit(" "), "key")
    return F.coalesce("name", F.when(F.col("key").rlike("^[0-9]+$"), numbered), "key")
