"""The Spark jobs that read input files: each task reads its part of them in kernels."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial, reduce
from typing import BinaryIO
from urllib.parse import unquote

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from interest_graph.config import SourceConfig
from interest_graph.events.delta_source import delta_records
from interest_graph.events.kernel_frames import mapped, tasks_frame
from interest_graph.events.path_patterns import escaped
from interest_graph.events.readers import read_split
from interest_graph.events.readers.source_bytes import Split, is_splittable
from interest_graph.events.records import Layout
from interest_graph.events.sources import InputFile
from interest_graph.events.work_plan import Piece, bytes_of_task, dealt, pieces_of
from interest_graph.worker_files import WorkerFiles, worker_files

Read = Iterator[tuple[str, str, pa.Table]]  # source, file, records
Kernel = Callable[[Read, str], Iterator[pa.RecordBatch]]  # (what was read, name of the attempt)

_SPLIT_FORMATS = ("csv", "json", "log")


@dataclass(frozen=True)
class Input:
    """The files of one source that hold anything, and what the start of each tells."""

    source: SourceConfig
    layouts: Mapping[InputFile, Layout]

    def only(self, files: Iterable[InputFile]) -> Input:
        """The same of those files alone."""
        wanted = set(files)
        return Input(self.source, {f: at for f, at in self.layouts.items() if f in wanted})


def read_inputs(spark: SparkSession, inputs: Sequence[Input], kernel: Kernel) -> DataFrame:
    """The task rows that the kernel makes of the inputs' records."""
    frames: list[DataFrame] = []
    direct: list[tuple[Input, WorkerFiles]] = []
    for some in inputs:
        access = worker_files(spark, some.source.path)
        if some.source.format == "delta":
            frames.append(_of_delta(spark, some, kernel))
        elif access is None:
            frames.append(_of_blobs(spark, some, kernel))
        else:
            direct.append((some, access))
    if direct:
        frames.append(_of_files(spark, direct, kernel))
    return reduce(DataFrame.union, frames)


def _of_files(
    spark: SparkSession, inputs: Sequence[tuple[Input, WorkerFiles]], kernel: Kernel
) -> DataFrame:
    """Read by the workers themselves, large files by several tasks."""
    n_bytes = sum(file.size_bytes for some, _ in inputs for file in some.layouts)
    target = bytes_of_task(n_bytes, spark.sparkContext.defaultParallelism)
    pieces = [
        piece
        for some, _ in inputs
        for file, layout in some.layouts.items()
        for piece in pieces_of(
            some.source.name,
            file.path,
            file.size_bytes,
            layout,
            is_divisible=_is_divisible(file.path, some.source),
            target=target,
        )
    ]
    tasks = dealt(pieces, lambda piece: piece.n_bytes, target)
    sources = {some.source.name: some.source for some, _ in inputs}
    opened = {some.source.name: access for some, access in inputs}
    work = partial(_read_pieces, sources=sources, opened=opened, kernel=kernel)
    return tasks_frame(spark, tasks, work)


def _is_divisible(path: str, source: SourceConfig) -> bool:
    return source.format in _SPLIT_FORMATS and is_splittable(path, source)


def _read_pieces(
    pieces: Sequence[Piece],
    task: str,
    *,
    sources: Mapping[str, SourceConfig],
    opened: Mapping[str, WorkerFiles],
    kernel: Kernel,
) -> Iterator[pa.RecordBatch]:
    def read() -> Read:
        for piece in pieces:
            name, access = piece.split.source, opened[piece.split.source]
            for records in read_split(piece.split, sources[name], piece.layout, access.open):
                yield name, piece.split.path, records

    yield from kernel(read(), task)


def _of_blobs(spark: SparkSession, some: Input, kernel: Kernel) -> DataFrame:
    """Read by Spark, file by file as a whole: of file systems that only Hadoop reaches."""
    packed = spark.read.format("binaryFile").load([escaped(unquote(f.name)) for f in some.layouts])
    columns = packed.select(F.col("_metadata.file_path").alias("file"), "content")
    layouts = {file.path: layout for file, layout in some.layouts.items()}
    work = partial(_read_blobs, layouts=layouts, source=some.source, kernel=kernel)
    return mapped(columns, work)


def _read_blobs(
    batches: Iterable[pa.RecordBatch],
    task: str,
    *,
    layouts: Mapping[str, Layout],
    source: SourceConfig,
    kernel: Kernel,
) -> Iterator[pa.RecordBatch]:
    def read() -> Read:
        for batch in batches:
            for place, file in enumerate(batch.column(0).to_pylist()):
                split, content = Split(source.name, file), batch.column(1)[place].as_buffer()

                def opened(_: str, content: pa.Buffer = content) -> BinaryIO:
                    return io.BytesIO(content)

                for records in read_split(split, source, layouts[file], opened):
                    yield source.name, file, records

    yield from kernel(read(), task)


def _of_delta(spark: SparkSession, some: Input, kernel: Kernel) -> DataFrame:
    """Read by Spark, which alone knows every feature of Delta tables."""
    records = delta_records(spark, some.source, [file.path for file in some.layouts])
    return mapped(records, partial(_read_rows, source=some.source.name, kernel=kernel))


def _read_rows(
    batches: Iterable[pa.RecordBatch], task: str, *, source: str, kernel: Kernel
) -> Iterator[pa.RecordBatch]:
    def read() -> Read:
        for batch in batches:
            rows = pa.Table.from_batches([batch])
            for file in rows["file"].unique().to_pylist():
                of_file = rows.filter(pa.compute.equal(rows["file"], file))
                yield source, file, of_file.drop_columns(["file"])

    yield from kernel(read(), task)
