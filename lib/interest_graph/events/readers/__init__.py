"""Readers: a split of an input file to tables of its records as received (events/records.py)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from importlib import import_module
from typing import Any

import pyarrow as pa

from interest_graph.config import SourceConfig
from interest_graph.errors import DataError
from interest_graph.events.readers.folder_values import optional_where_given, with_folder_values
from interest_graph.events.readers.items import one_item_each
from interest_graph.events.readers.source_bytes import (
    OpenFile,
    Split,
    head,
    is_splittable,
    open_local,
    windows,
)
from interest_graph.events.records import FIXED, Layout, schema_of
from interest_graph.plugins import is_plugin

__all__ = ["Split", "inspect_file", "is_splittable", "open_local", "read_split"]

_TEXT_FORMATS = {"json": "json_records", "csv": "csv_records", "log": "log_records"}


def read_split(
    split: Split, source: SourceConfig, layout: Layout, open_file: OpenFile = open_local
) -> Iterator[pa.Table]:
    """The records of the split, in the order of the file; a table for each part of it.

    A column that the file lacks comes from its folders (layout.folders). Where source.explode is
    set, a record with several items is several. Raises DataError and ConfigError naming the source
    and the file or setting.
    """
    # What the file itself holds goes before, also where it is missing in some records.
    folders = {name: v for name, v in layout.folders.items() if name not in layout.columns}
    inner, names = _with_free_names(source), schema_of(source.columns).names
    for records in _tables(split, inner, layout, open_file):
        filled = with_folder_values(records, inner, folders)
        each = one_item_each(filled, inner, is_text=source.format in _TEXT_FORMATS)
        yield each.rename_columns(names)


def inspect_file(
    path: str,
    source: SourceConfig,
    open_file: OpenFile = open_local,
    folders: Mapping[str, str | None] | None = None,
) -> Layout | None:
    """The layout of a file, by its start; None if there is nothing in it but blanks.

    folders: columns that the path's folders give, values decoded. Raises DataError naming the
    source and the file where it lacks a mapped column, is damaged or of another format.
    """
    folders = folders or {}
    split = Split(source.name, path)
    if source.format == "parquet":
        with _naming(split), open_file(path) as file:
            found: Layout = _reader("table_records").inspect_parquet(file, source, folders)
            return found
    with _naming(split):
        layout = _inspected(split, optional_where_given(source, folders), open_file)
    return layout and replace(layout, folders=folders)


def _with_free_names(source: SourceConfig) -> SourceConfig:
    """The source with other names for mapped columns that are called as those of all records."""
    fixed = {name for name, _ in FIXED} | {"file"}
    new = {column: f"own {column}" for column in source.columns if column.lower() in fixed}
    if not new:
        return source
    columns = {new.get(column, column): name for column, name in source.columns.items()}
    return source.model_copy(update={"columns": columns})


def _inspected(split: Split, source: SourceConfig, open_file: OpenFile) -> Layout | None:
    if is_plugin(source.format):
        found: Layout | None = _reader("plugin_records").inspect(split, source, open_file)
        return found
    start = head(split.path, source, open_file)
    layout: Layout | None = _reader(_TEXT_FORMATS[source.format]).inspect(start, source)
    return layout


def _tables(
    split: Split, source: SourceConfig, layout: Layout, open_file: OpenFile
) -> Iterator[pa.Table]:
    if source.format == "parquet":
        groups = None if split.length is None else range(split.start, split.start + split.length)
        with _naming(split), open_file(split.path) as file:
            yield from _reader("table_records").read_parquet(file, source, layout, groups)
    elif is_plugin(source.format):
        yield from _reader("plugin_records").read(split, source, open_file)
    else:
        reader = _reader(_TEXT_FORMATS[source.format])
        for base, window in windows(split, source, layout, open_file, reader.end_of_records):
            yield reader.read_window(window, base, source, layout)


def _reader(module: str) -> Any:
    """The module of a format, imported where it is needed: a task reads one format."""
    return import_module(f"{__name__}.{module}")


@contextmanager
def _naming(split: Split) -> Iterator[None]:
    """Put the source's and the file's name before the text of a DataError that lacks them."""
    try:
        yield
    except DataError as error:
        prefix = f"source {split.source}: "
        if str(error).startswith(prefix):
            raise
        raise DataError(f"{prefix}{split.name} {error}") from None
    except FileNotFoundError:
        raise DataError(f"source {split.source}: {split.name} is no longer there") from None
