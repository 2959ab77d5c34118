"""The Spark jobs that merge users, items or social edges: records and stored rows to their parts.

Workers read and write the table's files, which one commit replaces by merged ones. Where only Spark
may write the table, it reads the rows, and the merged ones are a MERGE's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from pyspark import StorageLevel
from pyspark.sql import DataFrame, SparkSession

from interest_graph import tables
from interest_graph.contract import Table
from interest_graph.delta_state import LiveFile
from interest_graph.events.attribute_task import (
    MERGED,
    AttributeWork,
    merge_rows,
    send_files,
    send_rows,
    shape_records,
)
from interest_graph.events.clean_records import n_parts
from interest_graph.events.kernel_frames import added, mapped, summaries, table_rows, tasks_frame
from interest_graph.events.map_task import OF_ORIGIN
from interest_graph.events.reading import Input, read_inputs
from interest_graph.events.sources import InputFile
from interest_graph.events.work_plan import EXPANSION, dealt_files, text_bytes
from interest_graph.job import Run
from interest_graph.partition_keys import keys_of_partitions
from interest_graph.small_tables import schema_of
from interest_graph.table_files import NewFile, TableFiles, files_of_json

_BYTES_OF_ROW = 100  # of those that n_parts counts

Told = list[dict[str, Any]]


def work_of(
    run: Run, table: Table, kind: str, batch: str, inputs: Sequence[Input]
) -> AttributeWork:
    """What the tasks know; without the parts, which also depend on what is stored."""
    listed = sorted(_files(inputs), key=lambda file: (file.modified_ts, file.path, file.source))
    return AttributeWork(
        kind=kind,
        batch=batch,
        schema=schema_of(table),
        key=table.key,
        sources={some.source.name: some.source for some in inputs},
        ranks={(file.source, file.path): rank for rank, file in enumerate(listed)},
        keys=(),
        files=run.store.files_of(table),
        quarantine=run.store.files_of(tables.QUARANTINE, coded=OF_ORIGIN),
    )


def merge(
    run: Run, table: Table, work: AttributeWork, inputs: Sequence[Input]
) -> tuple[DataFrame, Told]:
    """Merge the inputs into the table; nothing is committed where every row is as it was.

    Returns the task rows, which hold the refused records unless workers wrote them, and what the
    tasks told.
    """
    if work.files is None:
        return _merge_by_spark(run, table, work, inputs)
    return _merge_in_files(run, table, work, inputs, work.files)


def _merge_in_files(
    run: Run, table: Table, work: AttributeWork, inputs: Sequence[Input], folder: TableFiles
) -> tuple[DataFrame, Told]:
    made: list[tuple[DataFrame, Told]] = []

    def merged(live: Sequence[LiveFile]) -> list[NewFile] | None:
        whole = _divided(run.spark, work, inputs, sum(file.size for file in live))
        stored = _of_files(run.spark, live, whole, folder) if live else None
        rows = _merged_rows(run.spark, whole, inputs, stored)
        if work.quarantine is None:
            rows = rows.persist(StorageLevel.DISK_ONLY)
        told = summaries(rows)
        for lost, _ in made:
            lost.unpersist()
        made[:] = [(rows, told)]
        if not _is_changed(told):
            return None
        return [file for content in told for file in files_of_json(content.get(MERGED, []))]

    run.store.rewrite(table, merged)
    return made[0]


def _merge_by_spark(
    run: Run, table: Table, work: AttributeWork, inputs: Sequence[Input]
) -> tuple[DataFrame, Told]:
    run.store.create(table)
    work = _divided(run.spark, work, inputs, run.store.size(table))
    stored = mapped(run.store.read(table), partial(send_rows, work=work))
    rows = _merged_rows(run.spark, work, inputs, stored).persist(StorageLevel.DISK_ONLY)
    told = summaries(rows)
    if _is_changed(told):
        # Not `replace`: rows that another writer commits meanwhile would go.
        run.store.merge(table, table_rows(rows, MERGED, table.schema))
    return rows, told


def _divided(
    spark: SparkSession, work: AttributeWork, inputs: Sequence[Input], n_stored: int
) -> AttributeWork:
    """The work with as many parts as the bytes need. n_stored: bytes of stored rows, packed."""
    n_bytes = text_bytes(_files(inputs)) + EXPANSION * n_stored
    return replace(work, keys=tuple(keys_of_partitions(n_parts(spark, n_bytes // _BYTES_OF_ROW))))


def _merged_rows(
    spark: SparkSession, work: AttributeWork, inputs: Sequence[Input], stored: DataFrame | None
) -> DataFrame:
    rows = read_inputs(spark, inputs, partial(shape_records, work=work))
    if stored is not None:
        rows = rows.union(stored)
    by_part = rows.repartition(len(work.keys), "part")
    return mapped(by_part, partial(merge_rows, work=work))


def _of_files(
    spark: SparkSession, live: Sequence[LiveFile], work: AttributeWork, folder: TableFiles
) -> DataFrame:
    """Task rows of the stored rows, which workers read."""
    slots = spark.sparkContext.defaultParallelism
    tasks = dealt_files(live, lambda file: file.size, slots, EXPANSION)
    paths = [[f"{folder.folder}/{file.path}" for file in files] for files in tasks]
    return tasks_frame(spark, paths, partial(send_files, work=work, access=folder.access))


def _files(inputs: Sequence[Input]) -> list[InputFile]:
    return [file for some in inputs for file in some.layouts]


def _is_changed(told: Sequence[Mapping[str, Any]]) -> bool:
    return added(told, "changed").total() > 0
