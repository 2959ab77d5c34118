"""What a task does with its part of the input files: write bronze, pass records on.

No Spark here: records come in, rows of task_rows go out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from interest_graph.config.sources import EVENT_COLUMNS
from interest_graph.events import task_rows
from interest_graph.events.map_task import MapWork, Received, map_records
from interest_graph.events.records import constant
from interest_graph.table_files import TableFiles, files_as_json

BRONZE = "bronze"
# The columns of bronze.events in the order of its files; batch_id is the partition.
COLUMNS = ("source", "file", "position", *EVENT_COLUMNS, "payload", "is_readable")


@dataclass(frozen=True)
class IngestWork:
    """What every task knows; picklable.

    bronze: where records are written, None: they go out as rows; clean: what is done with them
    next, None: nothing; unkept: sources whose records bronze does not keep.
    """

    batch: str
    bronze: TableFiles | None
    clean: MapWork | None = None
    unkept: frozenset[str] = frozenset()


def take_in(
    read: Iterable[tuple[str, str, pa.Table]], task: str, *, work: IngestWork
) -> Iterator[pa.RecordBatch]:
    """Rows of bronze or its files, rows of `map_records` if asked for, and a summary.

    read: source, file, records. The summary counts records by file (`ingest`).
    """
    counted: Counter[str] = Counter()
    writer = work.bronze.writer(task) if work.bronze is not None else None
    waiting: list[pa.RecordBatch] = []

    def received() -> Iterator[Received]:
        for source, file, records in read:
            rows = as_bronze(records, source, file)
            counted[file] += rows.num_rows
            if source not in work.unkept:
                place = {"batch_id": work.batch}
                waiting.extend(task_rows.put_out(rows, BRONZE, place, writer))
            yield Received(source, work.batch, rows)

    if work.clean is None:
        for _ in received():
            yield from _drained(waiting)
    else:
        for row in map_records(received(), work.clean, task):
            yield from _drained(waiting)
            yield row
    yield from _drained(waiting)
    told: dict[str, Any] = {"ingest": dict(counted)}
    if writer is not None:
        told[BRONZE] = files_as_json(writer.close())
    yield task_rows.summary(told, 0)


def map_read(
    read: Iterable[tuple[str, str, pa.Table]], task: str, *, work: MapWork, batch: str
) -> Iterator[pa.RecordBatch]:
    """The task rows of `map_records` for records read from files, without bronze."""
    received = (Received(s, batch, as_bronze(records, s, file)) for s, file, records in read)
    yield from map_records(received, work, task)


def as_bronze(records: pa.Table, source: str, file: str) -> pa.Table:
    """Records of a file with the columns of bronze.events; absent ones are null."""
    n = records.num_rows
    names = set(records.column_names)
    held: dict[str, Any] = {"source": constant(source, n), "file": constant(file, n)}
    for name in COLUMNS[2:]:
        held[name] = records[name] if name in names else pa.nulls(n, pa.string())
    return pa.table(held)


def _drained(waiting: list[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    while waiting:
        yield waiting.pop(0)
