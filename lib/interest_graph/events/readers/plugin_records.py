"""Records of formats of the user's own: a reader function module:attribute (docs/extending.md)."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import PurePath

import pyarrow as pa

from interest_graph.config import SourceConfig
from interest_graph.errors import DataError
from interest_graph.events.custom_records import Reader, Record, column_names, to_records
from interest_graph.events.readers.column_names import require_mapped
from interest_graph.events.readers.source_bytes import OpenFile, Split, content
from interest_graph.events.records import Layout, schema_of
from interest_graph.plugins import load_function


def read(split: Split, source: SourceConfig, open_file: OpenFile) -> Iterator[pa.Table]:
    """The records that the reader yields. position: index of the record in the file; length: null.

    The reader gets the path and the whole file, decompressed. Raises DataError naming reader, file
    and place where the reader fails.
    """
    found = _found(split, source, open_file)
    with _naming(split, source):
        for records in to_records(split.path, found, source.columns):
            lengths = pa.nulls(len(records), pa.int64())
            yield (
                records.append_column("length", lengths)
                .select(schema_of(source.columns).names)
                .cast(schema_of(source.columns))
            )


def inspect(split: Split, source: SourceConfig, open_file: OpenFile) -> Layout | None:
    """The columns of the file's first records; None without any. Errors: as read."""
    found = _found(split, source, open_file)
    with _naming(split, source):
        columns = column_names(found)
    if not columns:
        return None
    require_mapped(source, columns)
    return Layout(tuple(columns), is_whole=True)


def _found(split: Split, source: SourceConfig, open_file: OpenFile) -> Iterable[Record | pa.Table]:
    reader: Reader = load_function("sources.format", source.format)
    whole = content(split, open_file)
    with _naming(split, source):
        return reader(split.path, whole)


@contextmanager
def _naming(split: Split, source: SourceConfig) -> Iterator[None]:
    """Re-raise any error in the block as a DataError with the file, the error's type and place.

    Without the message of a reader's own errors, which may contain data of the file.
    """
    try:
        yield
    except DataError as problem:
        message = f"source {source.name}: {source.format} on {split.path}: {problem}"
        raise DataError(message) from None
    except Exception as error:
        place = _place(error, source.format)
        failed = f"{source.format} fails on {split.path} ({type(error).__name__} at {place})"
        raise DataError(f"source {source.name}: {failed}") from error


def _place(error: Exception, plugin: str) -> str:
    """Where it happened: the last line of the reader's own module, or else the very last one."""
    module = sys.modules.get(plugin.partition(":")[0])
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if frame.filename == getattr(module, "__file__", None)]
    last = (own or frames)[-1]
    return f"{PurePath(last.filename).name}, line {last.lineno}"
