"""How the featurize step keeps statistics of attributes, and applies them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import reduce

from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F

from interest_graph import tables
from interest_graph.config.features import AttributeConfig
from interest_graph.contract import Table
from interest_graph.errors import ConfigError
from interest_graph.features.attributes import apply_statistics, fit_statistics
from interest_graph.job import Job

_SOURCES = {"user": tables.USERS, "item": tables.ITEMS}


def write_attributes(job: Job) -> None:
    """Fit what has no statistics yet, then write every user's and item's transformed numbers."""
    config = job.settings.features
    by_kind = {"user": config.user_attributes, "item": config.item_attributes}
    plans = {kind: attributes for kind, attributes in by_kind.items() if attributes}
    if not plans and not job.store.exists(tables.ATTRIBUTE_FEATURES):
        return
    with job.phase("scaling attributes"):
        statistics = _statistics(job, plans)
        frames = [job.spark.createDataFrame([], tables.ATTRIBUTE_FEATURES.schema)]
        for kind, attributes in plans.items():
            rows = job.read(_SOURCES[kind])
            frames.append(
                apply_statistics(rows, kind=kind, statistics=statistics, attributes=attributes)
            )
        job.store.replace(tables.ATTRIBUTE_FEATURES, reduce(DataFrame.unionByName, frames))
    _count(job)


def _statistics(job: Job, plans: Mapping[str, Mapping[str, AttributeConfig]]) -> list[Row]:
    """The kept statistics and, where there are none or all are to be fitted anew, new ones."""
    table, kept = tables.ATTRIBUTE_STATISTICS, {}
    if job.store.exists(table):
        rows = job.store.read(table).collect()
        kept = {(row["kind"], row["attribute"]): row for row in rows}
    is_once = job.settings.features.fit_attributes == "once"
    fitted: list[Row] = []
    for kind, attributes in plans.items():
        names = [name for name in attributes if not (is_once and (kind, name) in kept)]
        if names:
            fitted += _fit(job, kind, names)
    job.count("attributes fitted", len(fitted))
    kept |= {(row["kind"], row["attribute"]): row for row in fitted}
    if fitted:
        job.store.replace(table, job.spark.createDataFrame(list(kept.values()), table.schema))
    return list(kept.values())


def _fit(job: Job, kind: str, names: Collection[str]) -> list[Row]:
    """One row for each attribute. Raises ConfigError for one that holds no number."""
    table = _SOURCES[kind]
    found = fit_statistics(job.read(table), kind=kind, names=names)
    stamped = found.withColumn("fitted_as_of", F.lit(job.as_of))
    rows = stamped.select(*tables.ATTRIBUTE_STATISTICS.column_names).collect()
    filled = {row["attribute"]: row for row in rows if row["n_values"]}
    for name in names:
        if name not in filled:
            raise _unfit(job, table, f"features.{kind}_attributes.{name}", name)
    return list(filled.values())


def _unfit(job: Job, table: Table, key: str, name: str) -> ConfigError:
    held = job.read(table).select(F.explode(F.map_keys("attributes")).alias("name")).distinct()
    names = [row["name"] for row in held.orderBy("name").limit(20).collect()]
    if name in names:
        return ConfigError(key, f"no value of it in {table.name} is a number")
    return ConfigError(key, f"{table.name} holds no such attribute", names or ["none"])


def _count(job: Job) -> None:
    written = job.store.read(tables.ATTRIBUTE_FEATURES).groupBy("kind")
    counts = written.agg(F.count(F.lit(1)).alias("n"), F.sum(F.size("imputed")).alias("imputed"))
    for row in counts.orderBy("kind").collect():
        job.count(f"{row['kind']}s with attributes", row["n"])
        job.count(f"{row['kind']}s.imputed", row["imputed"])
