"""Records of bronze.events again: from its files, or from a frame where only Spark may read it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from interest_graph.events.map_task import MapWork, Received, map_records
from interest_graph.events.task_rows import joined
from interest_graph.worker_files import WorkerFiles

_ROWS = 131_072  # records that a kernel works on at once


@dataclass(frozen=True)
class BronzeFile:
    """A file of bronze.events. path: as WorkerFiles opens it; batch: its batch_id."""

    path: str
    batch: str
    n_bytes: int


def map_bronze_files(
    files: Sequence[BronzeFile], task: str, *, work: MapWork, access: WorkerFiles
) -> Iterator[pa.RecordBatch]:
    """The task rows of the records in the files, as `map_records` makes them."""
    yield from map_records(_read(files, work, access), work, task)


def _read(files: Sequence[BronzeFile], work: MapWork, access: WorkerFiles) -> Iterator[Received]:
    for file in files:
        with access.open(file.path) as stream:
            for batch in pq.ParquetFile(stream).iter_batches(_ROWS):
                for name, rows in _by_source(pa.Table.from_batches([batch]), work.sources):
                    yield Received(name, file.batch, rows)


def map_bronze_rows(
    batches: Iterable[pa.RecordBatch], task: str, *, work: MapWork
) -> Iterator[pa.RecordBatch]:
    """The same of rows that Spark reads, with the column batch_id."""
    parts = by_batch_and_source(batches, work.sources)
    yield from map_records((Received(name, *rest) for name, *rest in parts), work, task)


def by_batch_and_source(
    batches: Iterable[pa.RecordBatch], sources: Collection[str]
) -> Iterator[tuple[str, str, pa.Table]]:
    """source, batch and their rows, of these sources, in tables of the size that kernels like."""
    for rows in joined(batches, _ROWS):
        for batch in pc.unique(rows["batch_id"]).to_pylist():
            some = rows.filter(pc.equal(rows["batch_id"], batch)).drop_columns(["batch_id"])
            for name, those in _by_source(some, sources):
                yield name, batch, those


def _by_source(rows: pa.Table, sources: Collection[str]) -> Iterator[tuple[str, pa.Table]]:
    """The rows of each of these sources."""
    names = pc.unique(rows["source"]).to_pylist()
    for name in names:
        if name in sources:
            some = rows if len(names) == 1 else rows.filter(pc.equal(rows["source"], name))
            yield name, some
