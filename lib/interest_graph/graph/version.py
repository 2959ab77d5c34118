"""Names a graph by what it was built from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime

from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F

from interest_graph.config.graph import GraphConfig
from interest_graph.errors import DataError
from interest_graph.graph.adjust import describe_adjustment


def version_of(config: GraphConfig, as_of: datetime, input_versions: Mapping[str, int]) -> str:
    """Twelve hexadecimal digits of settings, as-of time and Delta versions of the tables read."""
    origin = {
        "settings": config.model_dump(mode="json"),
        "as_of": as_of.isoformat(),
        "inputs": dict(input_versions),
    }
    return hashlib.sha256(json.dumps(origin, sort_keys=True).encode()).hexdigest()[:12]


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
    newest = known.orderBy(F.desc("build")).first() if known is not None else None
    last = int(newest["build"]) if newest is not None else 0
    is_newest = newest is not None and newest["graph_version"] == version
    return Row(
        graph_version=version,
        build=last if is_newest else last + 1,
        as_of=as_of,
        formula=formula_of(config),
        settings=json.dumps(config.model_dump(mode="json"), sort_keys=True),
        input_versions=dict(input_versions),
    )


def newest_version(versions: DataFrame) -> str:
    """The graph version that was built last. versions: graph_version, build; at least one row."""
    row = versions.orderBy(F.desc("build")).select("graph_version").first()
    if row is None:
        raise ValueError("no graph version is recorded")
    return str(row["graph_version"])


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
