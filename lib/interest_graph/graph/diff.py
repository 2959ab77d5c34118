"""What changed between two versions of a graph."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

_MAJOR_PART = 0.2  # a part of a community counts from this share of its vertices on


def diff_edges(old: DataFrame, new: DataFrame, *, tolerance: float = 0.01) -> DataFrame:
    """Edges that are new, gone, stronger or weaker; equal ones are left out.

    old, new: src, dst, kind, weight of one version each. tolerance: relative change of a weight
    that is no change. Returns src, dst, kind, change, old_weight, new_weight.
    """
    key = ["src", "dst", "kind"]
    before = old.select(*key, F.col("weight").alias("old_weight"))
    after = new.select(*key, F.col("weight").alias("new_weight"))
    both = before.join(after, key, how="full")
    return (
        both.withColumn("change", _change(tolerance))
        .where("change IS NOT NULL")
        .select(*key, "change", "old_weight", "new_weight")
    )


def diff_communities(old: DataFrame, new: DataFrame) -> DataFrame:
    """Communities that split into, or merged from, at least two major parts.

    old, new: id, community of one version each; vertices of both versions count. A part is major
    from a fifth of the community's vertices on.
    Returns change (split, merged), community, parts (communities of the other version), n_vertices.
    """
    before = old.select("id", F.col("community").alias("_old"))
    after = new.select("id", F.col("community").alias("_new"))
    shared = (
        before.join(after, "id", how="inner").groupBy("_old", "_new").agg(F.count("*").alias("_n"))
    )
    split = _broken(shared, whole="_old", part="_new").withColumn("change", F.lit("split"))
    merged = _broken(shared, whole="_new", part="_old").withColumn("change", F.lit("merged"))
    return split.unionByName(merged).select("change", "community", "parts", "n_vertices")


def _change(tolerance: float) -> Column:
    old, new = F.col("old_weight"), F.col("new_weight")
    return (
        F.when(old.isNull(), "new")
        .when(new.isNull(), "gone")
        .when(new > old * (1 + tolerance), "stronger")
        .when(new < old * (1 - tolerance), "weaker")
    )


def _broken(shared: DataFrame, *, whole: str, part: str) -> DataFrame:
    """Communities of column `whole` with two or more major parts in column `part`."""
    sizes = shared.groupBy(whole).agg(F.sum("_n").alias("n_vertices"))
    parts = shared.join(sizes, whole, how="inner").where(
        F.col("_n") >= _MAJOR_PART * F.col("n_vertices")
    )
    listed = parts.groupBy(F.col(whole).alias("community"), "n_vertices").agg(
        F.sort_array(F.collect_list(part)).cast("array<bigint>").alias("parts")
    )
    return listed.where(F.size("parts") > 1)
