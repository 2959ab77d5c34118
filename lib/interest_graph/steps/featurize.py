"""silver.items, silver.users -> silver.features, silver.attribute_features.

Vectors of item texts by the configured sentence encoder, and numeric attributes by kept statistics.
"""

from __future__ import annotations

from pyspark.errors import PythonException
from pyspark.sql import DataFrame

from interest_graph import tables
from interest_graph.features.text import (
    as_environment_problem,
    encode_texts,
    hash_texts,
    keep_current,
)
from interest_graph.graph.scratch import scratch
from interest_graph.job import Job, Step
from interest_graph.steps.attributes import write_attributes


def run(job: Job) -> None:
    """Transform attributes, encode texts."""
    write_attributes(job)  # first: a wrong setting is found before texts are encoded
    items = job.read_if_written(tables.ITEMS)
    if items is None:
        job.count("items with text", 0)
    else:
        _write_vectors(job, items)


def _write_vectors(job: Job, items: DataFrame) -> None:
    """Encode new and changed texts; vectors of items that are gone are dropped."""
    with scratch(job.spark) as keep:
        hashed = keep(hash_texts(items, encoder=job.settings.features.encoder))
        current = keep(_current(job, hashed, items))
        changed = hashed.join(current, ["item_id", "model", "text_hash"], how="left_anti")
        with job.phase("encoding texts"):
            encoded = keep(_encode(job, changed))
            job.count("texts encoded", _count_rows(encoded))
        job.count("items with text", hashed.count())
        job.store.merge(tables.FEATURES, current.unionByName(encoded), delete_others=True)


def _current(job: Job, hashed: DataFrame, items: DataFrame) -> DataFrame:
    if not job.store.exists(tables.FEATURES):
        return job.spark.createDataFrame([], tables.FEATURES.schema)
    return keep_current(job.store.read(tables.FEATURES), hashed, items)


def _encode(job: Job, changed: DataFrame) -> DataFrame:
    """The vectors of the changed texts, spread over all cores."""
    settings = job.settings.features
    n_tasks = job.spark.sparkContext.defaultParallelism
    texts = changed.repartition(n_tasks, "item_id").sortWithinPartitions("item_id")
    return encode_texts(texts, encoder=settings.encoder, batch_size=settings.batch_size)


def _count_rows(encoded: DataFrame) -> int:
    try:
        return encoded.count()
    except PythonException as error:
        raise as_environment_problem(error) from None


STEP = Step(
    name="featurize",
    run=run,
    optional=(tables.ITEMS, tables.USERS),
    writes=(tables.FEATURES, tables.ATTRIBUTE_STATISTICS, tables.ATTRIBUTE_FEATURES),
    settings=("features",),
)
