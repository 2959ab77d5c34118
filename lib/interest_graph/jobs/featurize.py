"""silver.items, silver.users -> silver.features, silver.attribute_features.

Encodes item texts by the configured sentence encoder, and scales numeric attributes by statistics
that are fitted once and stored.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import reduce

from pyspark.errors import PythonException
from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F

from interest_graph import tables
from interest_graph.cache_scope import cache_scope
from interest_graph.config.features import AttributeConfig
from interest_graph.contract import Table
from interest_graph.errors import ConfigError
from interest_graph.features.attributes import apply_statistics, fit_statistics
from interest_graph.features.text import (
    as_environment_problem,
    encode_texts,
    hash_texts,
    keep_current,
)
from interest_graph.job import Job, Run

_SOURCES = {"user": tables.USERS, "item": tables.ITEMS}


def run(run: Run) -> None:
    """Transform the attributes, then encode the texts."""
    write_attributes(run)  # first, so that a wrong setting fails before the long encoding
    items = run.read_if_written(tables.ITEMS)
    if items is None:
        run.count("items with text", 0)
    else:
        _write_vectors(run, items)


def _write_vectors(run: Run, items: DataFrame) -> None:
    """Encode new and changed texts; delete the vectors of items that no longer exist."""
    with cache_scope(run.spark) as keep:
        hashed = keep(hash_texts(items, encoder=run.settings.features.encoder))
        current = keep(_current(run, hashed, items))
        changed = hashed.join(current, ["item_id", "model", "text_hash"], how="left_anti")
        with run.phase("encoding texts"):
            encoded = keep(_encode(run, changed))
            run.count("texts encoded", _count_rows(encoded))
        run.count("items with text", hashed.count())
        run.store.merge(tables.FEATURES, current.unionByName(encoded), delete_others=True)


def _current(run: Run, hashed: DataFrame, items: DataFrame) -> DataFrame:
    if not run.store.exists(tables.FEATURES):
        return run.spark.createDataFrame([], tables.FEATURES.schema)
    return keep_current(run.store.read(tables.FEATURES), hashed, items)


def _encode(run: Run, changed: DataFrame) -> DataFrame:
    """Encode the changed texts, with one task a core."""
    settings = run.settings.features
    n_tasks = run.spark.sparkContext.defaultParallelism
    texts = changed.repartition(n_tasks, "item_id").sortWithinPartitions("item_id")
    return encode_texts(texts, encoder=settings.encoder, batch_size=settings.batch_size)


def _count_rows(encoded: DataFrame) -> int:
    try:
        return encoded.count()
    except PythonException as error:
        raise as_environment_problem(error) from None


def write_attributes(run: Run) -> None:
    """Fit missing statistics, then write the transformed attributes of all users and items.

    Does nothing when no attribute is configured and none was ever written.
    """
    config = run.settings.features
    by_kind = {"user": config.user_attributes, "item": config.item_attributes}
    plans = {kind: attributes for kind, attributes in by_kind.items() if attributes}
    if not plans and not run.store.exists(tables.ATTRIBUTE_FEATURES):
        return
    with run.phase("scaling attributes"):
        statistics = _statistics(run, plans)
        frames = [run.spark.createDataFrame([], tables.ATTRIBUTE_FEATURES.schema)]
        for kind, attributes in plans.items():
            rows = run.read(_SOURCES[kind])
            frames.append(
                apply_statistics(rows, kind=kind, statistics=statistics, attributes=attributes)
            )
        run.store.replace(tables.ATTRIBUTE_FEATURES, reduce(DataFrame.unionByName, frames))
    _count(run)


def _statistics(run: Run, plans: Mapping[str, Mapping[str, AttributeConfig]]) -> list[Row]:
    """Statistics of all attributes: the stored ones, fitted anew where features asks for it.

    Attributes without stored statistics are fitted, and all if fit_attributes is not "once".
    """
    table, kept = tables.ATTRIBUTE_STATISTICS, {}
    if run.store.exists(table):
        rows = run.store.read(table).collect()
        kept = {(row["kind"], row["attribute"]): row for row in rows}
    is_once = run.settings.features.fit_attributes == "once"
    fitted: list[Row] = []
    for kind, attributes in plans.items():
        names = [name for name in attributes if not (is_once and (kind, name) in kept)]
        if names:
            fitted += _fit(run, kind, names)
    run.count("attributes fitted", len(fitted))
    kept |= {(row["kind"], row["attribute"]): row for row in fitted}
    if fitted:
        run.store.replace(table, run.spark.createDataFrame(list(kept.values()), table.schema))
    return list(kept.values())


def _fit(run: Run, kind: str, names: Collection[str]) -> list[Row]:
    """Fit the statistics, one row an attribute. Raises ConfigError for one without any number."""
    table = _SOURCES[kind]
    found = fit_statistics(run.read(table), kind=kind, names=names)
    stamped = found.withColumn("fitted_as_of", F.lit(run.as_of))
    rows = stamped.select(*tables.ATTRIBUTE_STATISTICS.column_names).collect()
    filled = {row["attribute"]: row for row in rows if row["n_values"]}
    for name in names:
        if name not in filled:
            raise _unfit(run, table, f"features.{kind}_attributes.{name}", name)
    return list(filled.values())


def _unfit(run: Run, table: Table, key: str, name: str) -> ConfigError:
    held = run.read(table).select(F.explode(F.map_keys("attributes")).alias("name")).distinct()
    names = [row["name"] for row in held.orderBy("name").limit(20).collect()]
    if name in names:
        return ConfigError(key, f"no value of it in {table.name} is a number")
    return ConfigError(key, f"{table.name} holds no such attribute", names or ["none"])


def _count(run: Run) -> None:
    written = run.store.read(tables.ATTRIBUTE_FEATURES).groupBy("kind")
    counts = written.agg(F.count(F.lit(1)).alias("n"), F.sum(F.size("imputed")).alias("imputed"))
    for row in counts.orderBy("kind").collect():
        run.count(f"{row['kind']}s with attributes", row["n"])
        run.count(f"{row['kind']}s.imputed", row["imputed"])


JOB = Job(
    name="featurize",
    help="turns item texts to vectors by a sentence encoder, unchanged texts not again; "
    "imputes and scales numeric attributes by kept statistics",
    run=run,
    optional=(tables.ITEMS, tables.USERS),
    writes=(tables.FEATURES, tables.ATTRIBUTE_STATISTICS, tables.ATTRIBUTE_FEATURES),
    settings=("features",),
    after=("ingest",),
    is_stage=True,
)
