"""Versions of a graph: their names, and what changed between two of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime

from pyspark.sql import Column, DataFrame, Row
from pyspark.sql import functions as F

from interest_graph.builds import next_build
from interest_graph.config.graph import GraphConfig
from interest_graph.errors import DataError
from interest_graph.graph.weigh import describe_adjustment
from interest_graph.identity import digest


def version_of(config: GraphConfig, as_of: datetime, inputs: Mapping[str, str]) -> str:
    """The name of a graph version: 12 hexadecimal digits, a digest of what decides the graph.

    Namely the settings, the as-of time and `inputs`: table name -> identity of its data.
    """
    settings = config.model_dump(mode="json")
    return digest({"settings": settings, "as_of": as_of.isoformat(), "inputs": dict(inputs)}, 12)


def formula_of(config: GraphConfig) -> str:
    """The formula of user-item weights with the configured numbers, as text."""
    decay = ""
    if config.half_life_days is not None:
        decay = f" * 2**(-age_days / {config.half_life_days:g})"
    adjustment = describe_adjustment(config)
    formula = f"sum over events: action_weight * value_factor{decay}"
    return f"{formula}; {adjustment}" if adjustment else formula


def version_row(
    version: str,
    config: GraphConfig,
    as_of: datetime,
    input_versions: Mapping[str, int],
    known: DataFrame | None,
) -> Row:
    """The version's row of graph.versions; known: the rows so far, None if there are none.

    The newest version keeps its build number when it is built again, so a repeated run changes
    nothing.
    """
    return Row(
        graph_version=version,
        build=next_build(known, "graph_version", version),
        as_of=as_of,
        formula=formula_of(config),
        settings=json.dumps(config.model_dump(mode="json"), sort_keys=True),
        input_versions=dict(input_versions),
    )


def pair_to_compare(
    versions: DataFrame, old: str | None = None, new: str | None = None
) -> tuple[str, str]:
    """Two graph versions to compare, (old, new); by default the two newest builds.

    versions: graph_version, build. Raises DataError when a version is not in it or there is no
    older one.
    """
    rows = versions.orderBy(F.desc("build")).select("graph_version").collect()
    known = [str(row["graph_version"]) for row in rows]
    lacking = [version for version in (old, new) if version is not None and version not in known]
    if lacking:
        raise DataError(
            f"graph versions that were never built, or are gone; there are {known}",
            len(lacking),
            lacking,
        )
    newer = new or known[0]
    before = known[known.index(newer) + 1 :]
    if old is None and not before:
        raise DataError(f"no graph version was built before {newer}; there are {known}")
    return old or before[0], newer


_MAJOR_PART = 0.2  # a part with at least this share of a community's vertices is major


def diff_edges(old: DataFrame, new: DataFrame, *, tolerance: float = 0.01) -> DataFrame:
    """Edges that differ between two versions: change is new, gone, stronger or weaker.

    old, new: src, dst, kind, weight of one version each. tolerance: relative changes of a weight up
    to this are ignored. Returns src, dst, kind, change, old_weight, new_weight.
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
    """Communities that split into at least two major parts, or were merged from such parts.

    old, new: id, community of one version each; only vertices of both versions are compared. A part
    is major with at least a fifth of the community's vertices. Returns change (split or merged),
    community, parts (the communities of the other version), n_vertices.
    """
    before = old.select("id", F.col("community").alias("_old"))
    after = new.select("id", F.col("community").alias("_new"))
    shared = (
        before.join(after, "id", how="inner").groupBy("_old", "_new").agg(F.count("*").alias("_n"))
    )
    split = _divided(shared, whole="_old", part="_new").withColumn("change", F.lit("split"))
    merged = _divided(shared, whole="_new", part="_old").withColumn("change", F.lit("merged"))
    return split.unionByName(merged).select("change", "community", "parts", "n_vertices")


def _change(tolerance: float) -> Column:
    old, new = F.col("old_weight"), F.col("new_weight")
    return (
        F.when(old.isNull(), "new")
        .when(new.isNull(), "gone")
        .when(new > old * (1 + tolerance), "stronger")
        .when(new < old * (1 - tolerance), "weaker")
    )


def _divided(shared: DataFrame, *, whole: str, part: str) -> DataFrame:
    """Communities of column `whole` that have two or more major parts in column `part`."""
    sizes = shared.groupBy(whole).agg(F.sum("_n").alias("n_vertices"))
    parts = shared.join(sizes, whole, how="inner").where(
        F.col("_n") >= _MAJOR_PART * F.col("n_vertices")
    )
    listed = parts.groupBy(F.col(whole).alias("community"), "n_vertices").agg(
        F.sort_array(F.collect_list(part)).cast("array<bigint>").alias("parts")
    )
    return listed.where(F.size("parts") > 1)
