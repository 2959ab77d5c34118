"""silver.items -> silver.features: vectors of item texts by the configured sentence encoder."""

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


def run(job: Job) -> None:
    """Encode new and changed texts; vectors of items that are gone are dropped."""
    items = job.read_if_written(tables.ITEMS)
    if items is None:
        job.count("items with text", 0)
        return
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
    optional=(tables.ITEMS,),
    writes=(tables.FEATURES,),
    settings=("features",),
)
