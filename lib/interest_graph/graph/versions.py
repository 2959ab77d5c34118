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
    """Twelve hexadecimal digits of settings, as-of time and the data of the tables read.

    inputs: identity of each table's data by its name.
    """
    settings = config.model_dump(mode="json")
    return digest({"settings": settings, "as_of": as_of.isoformat(), "inputs": dict(inputs)}, 12)


def formula_of(config: GraphConfig) -> str:
    """The weight of a user-item edge in words and figures."""
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
    """The version's row of graph.versions; `known` are the rows so far.

    Building the newest version again keeps its number, so that a repeated run changes nothing.
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
    """The graph versions `old` and `new`; by default the newest build and the one before it.

    versions: graph_version, build. Raises DataError when one is not there.
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
