"""The Spark jobs of cleaning: records to the parts of their users, users' events to facts."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import date
from functools import partial

import pyarrow as pa
from pyspark.sql import DataFrame, Row

from interest_graph import tables
from interest_graph.delta_state import sql_of
from interest_graph.events import clean_records, periods, task_rows
from interest_graph.events.bronze_reader import BronzeFile, map_bronze_files
from interest_graph.events.clean_records import reduced_frame
from interest_graph.events.ingest_task import map_read
from interest_graph.events.inspection import inspect_files, list_files
from interest_graph.events.kernel_frames import tasks_frame
from interest_graph.events.map_task import OF_ORIGIN, MapWork
from interest_graph.events.reading import Input, read_inputs
from interest_graph.events.reduce_task import BOTS, INTERACTIONS, ReduceWork
from interest_graph.events.sources import as_input_files, require_unchanged
from interest_graph.events.spark_rules import places_of
from interest_graph.events.work_plan import dealt_files
from interest_graph.job import Run
from interest_graph.table_files import TableFiles


def needs_support(run: Run) -> bool:
    """Whether users or items with few events are dropped, for which Spark counts all facts."""
    config = run.settings.clean
    return max(config.min_user_events, config.min_item_events) > 1


def fact_files(run: Run) -> dict[str, TableFiles]:
    """Where workers write facts and bots; without those that go through Spark."""
    if needs_support(run):
        return {}
    coded = ("user_id", "item_id", "action", "session_id", "source")
    ranged = ("event_ts", "event_date")
    found = {
        INTERACTIONS: run.store.files_of(tables.INTERACTIONS, coded=coded, ranged=ranged),
        BOTS: run.store.files_of(tables.BOTS, coded=("rule",), ranged=("event_date",)),
    }
    return {name: files for name, files in found.items() if files is not None}


def map_work(run: Run, parts: int, aliases: DataFrame | None) -> MapWork:
    """What the tasks that judge new records know."""
    quarantine = run.store.files_of(tables.QUARANTINE, coded=OF_ORIGIN)
    work = clean_records.map_work(run.settings, run.as_of, parts=parts, quarantine=quarantine)
    if aliases is None:
        return work
    found = pa.Table.from_pandas(aliases.toPandas(), preserve_index=False)
    return replace(work, aliases=task_rows.to_bytes(found).to_pybytes())


def map_batches(
    run: Run, batches: Collection[str], work: MapWork, days: Collection[date] | None = None
) -> DataFrame:
    """Task rows of the batches' records; days: of records that are read again."""
    if days is not None:
        work = replace(work, days=periods.as_numbers(days), quarantine=None)
    rows = _of_bronze(run, batches, work)
    for batch, inputs in _unkept_inputs(run, batches).items():
        kernel = partial(map_read, work=work, batch=batch)
        rows = rows.union(read_inputs(run.spark, inputs, kernel))
    return rows


def _unkept_inputs(run: Run, batches: Collection[str]) -> dict[str, list[Input]]:
    """By batch the files whose records bronze does not keep.

    Raises DataError for a file that has changed since or is gone.
    """
    sources = {s.name: s for s in run.settings.event_sources if s.bronze == "reference"}
    if not sources:
        return {}
    ledger = [Row(**row) for row in run.store.read_rows(tables.FILES).to_pylist()]
    found: dict[str, list[Input]] = {}
    for name, source in sources.items():
        listed = list_files(run.spark, source)
        for batch in batches:
            mine = [row for row in ledger if (row.batch_id, row.source) == (batch, name)]
            files = as_input_files(mine)
            require_unchanged(files, listed)
            layouts = inspect_files(run.spark, source, files)
            if layouts:
                found.setdefault(batch, []).append(Input(source, layouts))
    return found


def _of_bronze(run: Run, batches: Collection[str], work: MapWork) -> DataFrame:
    partitions = {"batch_id": batches}
    access = run.store.worker_files(tables.EVENTS)
    listed = run.store.live_files(tables.EVENTS, partitions)
    if access is None or listed is None or places_of(work.clean):
        records = run.store.read(tables.EVENTS).where(sql_of(partitions) or "true")
        return clean_records.map_frame(records, work)
    root = run.store.location(tables.EVENTS)
    files = [BronzeFile(f"{root}/{f.path}", f.partition["batch_id"], f.size) for f in listed]
    # Records are packed in bronze: a byte there is some five in the log.
    slots = run.spark.sparkContext.defaultParallelism
    tasks = dealt_files(files, lambda file: file.n_bytes, slots, expansion=5)
    return tasks_frame(run.spark, tasks, partial(map_bronze_files, work=work, access=access))


def reduced(
    run: Run,
    rows: DataFrame,
    work: MapWork,
    days: Collection[date] | None,
    grain: str,
    files: Mapping[str, TableFiles],
) -> DataFrame:
    """Task rows of facts, by users. rows: of map_batches; days: to write, None for all."""
    numbers = None if days is None else periods.as_numbers(days)
    reduce = ReduceWork(run.settings.clean, numbers, grain, files)
    return reduced_frame(rows, len(work.keys), reduce)
