"""Cleaning of records in a DataFrame, for notebooks, streams and jobs: the kernels of the jobs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from functools import partial
from typing import NamedTuple

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from interest_graph import tables
from interest_graph.config import CleanConfig, Settings
from interest_graph.config.sources import EVENT_COLUMNS
from interest_graph.contract import parse_ddl
from interest_graph.events import spark_rules, task_rows
from interest_graph.events.bronze_reader import map_bronze_rows
from interest_graph.events.kernel_frames import mapped, table_rows
from interest_graph.events.map_task import QUARANTINE, MapWork
from interest_graph.events.reduce_task import INTERACTIONS, ReduceWork, reduce_rows
from interest_graph.partition_keys import keys_of_partitions
from interest_graph.table_files import TableFiles

_COUNTS = "name STRING, n BIGINT"
_EVENTS_PER_PART = 700_000  # a worker holds some 400 bytes for each event of a part
_FEW_EVENTS = 100_000  # one part: another task would cost more than it saves


class CleanedRecords(NamedTuple):
    """facts: columns of silver.interactions; refusals: of silver.quarantine; counts: name, n.

    Counts: accepted, kept, dropped ones by reason, and refused ones as reason.CODE. The frames are
    lazy and made of one another: persist the records if they are costly to read.
    """

    facts: DataFrame
    refusals: DataFrame
    counts: DataFrame


def clean_records(
    records: DataFrame, settings: Settings, as_of: datetime, *, parts: int = 0
) -> CleanedRecords:
    """Clean records as the clean job does, in memory: type, refuse, deduplicate, find sessions.

    records: `source`, a configured source of events, and as texts the columns that the source maps
    (user_id, item_id ...); payload, is_readable, file, position and batch_id if there are any.
    parts: of users, cleaned at once by a worker; by default as many as Spark has shuffle
    partitions. Minimum support and merged items, which need all records, are the job's alone.
    """
    spark = records.sparkSession
    parts = parts or int(spark.conf.get("spark.sql.shuffle.partitions") or 1)
    rows = map_frame(records, map_work(settings, as_of, parts=parts))
    reduce = ReduceWork(settings.clean, None, "day", {})
    cleaned = reduced_frame(rows, parts, reduce)
    return CleanedRecords(
        facts=table_rows(cleaned, INTERACTIONS, tables.INTERACTIONS.schema),
        refusals=table_rows(rows, QUARANTINE, tables.QUARANTINE.schema),
        counts=_counts(cleaned),
    )


def accepted_values(records: DataFrame, settings: Settings, as_of: datetime) -> DataFrame:
    """action and value of the records that no rule refuses, values uncapped.

    records: as for `clean_records`.
    """
    uncapped = settings.clean.model_copy(update={"value_caps": {}, "fitted_caps": {}})
    work = map_work(settings, as_of, parts=1, clean=uncapped)
    schema: StructType = parse_ddl("action STRING, value DOUBLE")
    return table_rows(map_frame(records, work), task_rows.EVENTS, schema)


def n_parts(spark: SparkSession, n_events: int) -> int:
    """Into how many parts of users so many events are divided."""
    if n_events < _FEW_EVENTS:
        return 1
    slots: int = spark.sparkContext.defaultParallelism
    rounds = -(-n_events // (_EVENTS_PER_PART * slots))  # in each, every slot works on a part
    return slots * rounds


def map_work(
    settings: Settings,
    as_of: datetime,
    *,
    parts: int,
    clean: CleanConfig | None = None,
    quarantine: TableFiles | None = None,
) -> MapWork:
    """What tasks that judge records know.

    clean: by default that of the settings; quarantine: None: refused records go out as rows.
    """
    return MapWork(
        sources={source.name: source for source in settings.event_sources},
        clean=clean or settings.clean,
        as_of=as_of,
        keys=tuple(keys_of_partitions(parts)),
        quarantine=quarantine,
    )


def map_frame(records: DataFrame, work: MapWork) -> DataFrame:
    """Task rows of the records, as events/map_task.py makes them; absent columns are filled."""
    texts = {name: F.lit(None).cast("string") for name in (*EVENT_COLUMNS, "payload")}
    filled = {
        **texts,
        "file": F.lit(""),
        "position": F.monotonically_increasing_id(),
        "is_readable": F.lit(True),
        "batch_id": F.lit(""),
    }
    absent = {name: value for name, value in filled.items() if name not in records.columns}
    chosen = records.withColumns(absent).select("source", *filled)
    if spark_rules.places_of(work.clean):
        return spark_rules.map_judged(chosen, work)
    return mapped(chosen, partial(map_bronze_rows, work=work))


def reduced_frame(rows: DataFrame, parts: int, work: ReduceWork) -> DataFrame:
    """Task rows of facts from task rows of events."""
    # The only shuffle, of packed parts: a row holds the users of a part from one piece of a file.
    by_part = rows.repartition(parts, "part")
    return mapped(by_part, partial(reduce_rows, work=work))


def _counts(rows: DataFrame) -> DataFrame:
    told = rows.where(F.col("kind") == task_rows.SUMMARY)
    return told.mapInArrow(_counted, _COUNTS).groupBy("name").agg(F.sum("n").alias("n"))


def _counted(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    for row in task_rows.rows_of(batches):
        told = task_rows.told(row)
        counts = {**told.get("map", {}).get("counts", {}), **told.get("reduce", {})}
        names, numbers = pa.array(list(counts), pa.string()), pa.array(counts.values(), pa.int64())
        yield pa.RecordBatch.from_arrays([names, numbers], names=["name", "n"])
