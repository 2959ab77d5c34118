"""User-defined source formats: runs the user's reader functions (custom_records.py) in workers.

Each file is read as a whole by one task; .gz and .zst files are decompressed before.
"""

from __future__ import annotations

import re
import sys
import traceback
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import PurePath
from typing import Any

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from interest_graph.config import SourceConfig
from interest_graph.errors import ConfigError, DataError
from interest_graph.events.custom_records import (
    Reader,
    Record,
    column_names,
    decompressed,
    to_records,
)
from interest_graph.events.sources import InputFile, paths_of
from interest_graph.plugins import load_function

_ERROR_LINE = re.compile(rf"errors\.({ConfigError.__name__}|{DataError.__name__}): (.+)")


def read_custom(spark: SparkSession, source: SourceConfig, files: Sequence[InputFile]) -> DataFrame:
    """Records of the files, with the columns of parse.read_records."""
    texts = "".join(f", `{name}` STRING" for name in source.columns)
    columns = f"file STRING, position BIGINT, is_readable BOOLEAN, payload STRING{texts}"
    return _packed(spark, files).mapInArrow(partial(_records_of, source=source), columns)


def columns_by_file(
    spark: SparkSession, source: SourceConfig, files: Sequence[InputFile]
) -> dict[str, tuple[str, ...]]:
    """Path -> column names of the file's first records; empty for a file without records."""
    work = partial(_columns_of, source=source)
    with reader_errors():
        rows = _packed(spark, files).mapInArrow(work, "file STRING, columns ARRAY<STRING>")
        return {row["file"]: tuple(row["columns"]) for row in rows.collect()}  # a row a file


@contextmanager
def reader_errors() -> Iterator[None]:
    """Re-raise a reader's ConfigError or DataError from a Spark job in the block, as one line."""
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


def _packed(spark: SparkSession, files: Sequence[InputFile]) -> DataFrame:
    whole = spark.read.format("binaryFile").load(paths_of(files))
    return whole.select(F.col("_metadata.file_path").alias("file"), "content")


def _records_of(batches: Iterable[pa.RecordBatch], source: SourceConfig) -> Iterator[Any]:
    for file, found in _read(batches, source):
        with _naming(source, file):
            for records in to_records(file, found, source.columns):
                yield from records.to_batches()


def _columns_of(batches: Iterable[pa.RecordBatch], source: SourceConfig) -> Iterator[Any]:
    for file, found in _read(batches, source):
        with _naming(source, file):
            names = pa.array([column_names(found)], pa.list_(pa.string()))
        yield pa.RecordBatch.from_arrays([pa.array([file]), names], ["file", "columns"])


def _read(
    batches: Iterable[pa.RecordBatch], source: SourceConfig
) -> Iterator[tuple[str, Iterable[Record | pa.Table]]]:
    """(path, records that the source's reader yields) for each file."""
    read: Reader = load_function("sources.format", source.format)
    for batch in batches:
        for file, content in zip(batch.column("file"), batch.column("content"), strict=True):
            path = file.as_py()
            with _naming(source, path):
                found = read(path, decompressed(path, content.as_py()))
            yield path, found


@contextmanager
def _naming(source: SourceConfig, file: str) -> Iterator[None]:
    """Re-raise any error in the block as a DataError with the file, the error's type and place.

    Without the message of a reader's own errors, which may contain data of the file.
    """
    try:
        yield
    except DataError as problem:
        raise DataError(f"source {source.name}: {source.format} on {file}: {problem}") from None
    except Exception as error:
        place = _place(error, source.format)
        failed = f"{source.format} fails on {file} ({type(error).__name__} at {place})"
        raise DataError(f"source {source.name}: {failed}") from error


def _place(error: Exception, plugin: str) -> str:
    """Where it happened: the last line of the reader's own module, or else the very last one."""
    module = sys.modules.get(plugin.partition(":")[0])
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if frame.filename == getattr(module, "__file__", None)]
    last = (own or frames)[-1]
    return f"{PurePath(last.filename).name}, line {last.lineno}"
