"""Records of bronze.events again: from its files, or from a frame where only Spark may read it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from interest_graph.events.map_task import MapWork, Received, map_records
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
                yield from _by_source(pa.Table.from_batches([batch]), file.batch, work)


def map_bronze_rows(
    batches: Iterable[pa.RecordBatch], task: str, *, work: MapWork
) -> Iterator[pa.RecordBatch]:
    """The same of rows that Spark reads, with the column batch_id."""
    yield from map_records(_received(batches, work), work, task)


def _received(batches: Iterable[pa.RecordBatch], work: MapWork) -> Iterator[Received]:
    for rows in _joined(batches):
        for batch in pc.unique(rows["batch_id"]).to_pylist():
            some = rows.filter(pc.equal(rows["batch_id"], batch))
            yield from _by_source(some.drop_columns(["batch_id"]), batch, work)


def _joined(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.Table]:
    """Spark's batches put together to the size that kernels like."""
    held: list[pa.RecordBatch] = []
    for batch in batches:
        held.append(batch)
        if sum(len(some) for some in held) >= _ROWS:
            yield pa.Table.from_batches(held).combine_chunks()
            held.clear()
    if held:
        yield pa.Table.from_batches(held).combine_chunks()


def _by_source(rows: pa.Table, batch: str, work: MapWork) -> Iterator[Received]:
    """The rows of each source that this work cleans."""
    names = pc.unique(rows["source"]).to_pylist()
    for name in names:
        if name in work.sources:
            some = rows if len(names) == 1 else rows.filter(pc.equal(rows["source"], name))
            yield Received(name, batch, some)
