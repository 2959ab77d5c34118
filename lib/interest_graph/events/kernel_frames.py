"""Runs kernels in Spark's tasks: frames of task_rows, and tables out of them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from importlib import import_module
from threading import Thread
from typing import TYPE_CHECKING, Any, TypeVar

import pyarrow as pa
from pyspark import TaskContext
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from interest_graph.contract import Table
from interest_graph.delta_state import Partitions, sql_of
from interest_graph.errors import ConfigError, DataError
from interest_graph.events import task_rows
from interest_graph.session import temporarily
from interest_graph.table_files import files_of_json

if TYPE_CHECKING:
    from interest_graph.store import Store

T = TypeVar("T")
Rows = Iterator[pa.RecordBatch]

_ROWS_PER_BATCH = 20_000
_ERROR_LINE = re.compile(rf"errors\.({ConfigError.__name__}|{DataError.__name__}): (.+)")


def tasks_frame(
    spark: SparkSession, tasks: Sequence[T], work: Callable[[T, str], Rows]
) -> DataFrame:
    """The task rows of `work(task, name)`, one Spark task for each of `tasks`.

    name: of this attempt at the task, for its files.
    """
    numbers = spark.range(0, len(tasks), 1, max(len(tasks), 1))
    return numbers.mapInArrow(partial(_run, tasks=list(tasks), work=work), task_rows.COLUMNS)


def _run(batches: Iterable[pa.RecordBatch], tasks: list[T], work: Callable[[T, str], Rows]) -> Rows:
    for batch in batches:
        for number in batch.column(0).to_pylist():
            yield from work(tasks[number], attempt())


def warm_up(spark: SparkSession) -> Thread:
    """Start Spark's Python workers, which then have the kernels' modules, beside other work.

    In a session that has just begun, this and Java's own start take longer than a small batch.
    """

    def work() -> None:
        slots = spark.sparkContext.defaultParallelism
        with suppress(Exception):  # what is wrong with the workers, the job itself will tell
            tasks_frame(spark, range(slots), _nothing).collect()

    thread = Thread(target=work, name="warm-up", daemon=True)
    thread.start()
    return thread


def _nothing(_number: int, _name: str) -> Rows:
    import_kernels()
    return iter(())


def import_kernels() -> None:
    """Import what tasks that read and clean need; none of it starts a thread."""
    for name in ("reading", "ingest_task", "readers.json_records"):
        import_module(f"interest_graph.events.{name}")


def mapped(frame: DataFrame, work: Callable[[Iterable[pa.RecordBatch], str], Rows]) -> DataFrame:
    """The task rows of `work(batches, name)`, by partition of the frame."""
    return frame.mapInArrow(partial(_run_on_partition, work=work), task_rows.COLUMNS)


def _run_on_partition(
    batches: Iterable[pa.RecordBatch], work: Callable[[Iterable[pa.RecordBatch], str], Rows]
) -> Rows:
    yield from work(batches, attempt())


def attempt() -> str:
    """A name of the running task and of its attempt."""
    context = TaskContext.get()
    if context is None:
        return "00000-0"
    return f"{context.partitionId():05d}-{context.attemptNumber()}"


def table_rows(rows: DataFrame, kind: str, schema: StructType) -> DataFrame:
    """The rows of a table that task rows of this kind hold, for Spark's own writer."""
    held = rows.where(F.col("kind") == kind)
    return held.mapInArrow(partial(_unpacked, names=schema.names), schema)


def _unpacked(batches: Iterable[pa.RecordBatch], names: list[str]) -> Rows:
    for row in task_rows.rows_of(batches):
        table = task_rows.from_bytes(row["data"]).select(names)
        plain = {name: decoded(table[name]) for name in names}
        yield from pa.table(plain).to_batches(_ROWS_PER_BATCH)


def decoded(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """The column as Spark takes it, without a dictionary."""
    if pa.types.is_dictionary(column.type):
        return column.cast(column.type.value_type)
    return column


@contextmanager
def large_rows(spark: SparkSession) -> Iterator[None]:
    """Actions in the block send few rows at a time to a worker: a task row may hold megabytes."""
    with temporarily(spark, {"spark.sql.execution.arrow.maxRecordsPerBatch": "16"}):
        yield


@contextmanager
def reader_errors() -> Iterator[None]:
    """Re-raise a kernel's ConfigError or DataError from a Spark job in the block, as one line."""
    try:
        yield
    except Exception as error:
        found = _ERROR_LINE.search(str(error))
        if found is None or isinstance(error, ConfigError | DataError):
            raise
        kind, text = found.groups()
        if kind == ConfigError.__name__:
            raise ConfigError(*text.strip().split(": ", 1)) from None
        raise DataError(text.strip()) from None


def added(told: Iterable[Mapping[str, Any]], name: str) -> Counter[str]:
    """The sum of the counts that the tasks told under a name."""
    total: Counter[str] = Counter()
    for content in told:
        total.update(content.get(name, {}))
    return total


def write_table(
    store: Store,
    table: Table,
    name: str,
    told: Sequence[Mapping[str, Any]],
    rows: DataFrame,
    replaced: Partitions,
) -> None:
    """Replace the rows of a table's partitions (without a column: all) by what the tasks put out.

    told: the tasks' summaries, which under `name` list the files that they wrote; rows: their task
    rows, which hold the table's rows, as that kind, where Spark has to write them.
    """
    if any(name in content for content in told):
        files = [file for content in told for file in content.get(name, [])]
        store.commit(table, list(files_of_json(files)), replaced)
    else:
        store.replace(table, table_rows(rows, name, table.schema), sql_of(replaced))


def summaries(rows: DataFrame) -> list[dict[str, Any]]:
    """What the tasks told the driver: one small object a task."""
    rows = rows.where(F.col("kind") == task_rows.SUMMARY).select("data")
    return [task_rows.told(row.asDict()) for row in rows.collect()]
