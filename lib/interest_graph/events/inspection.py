"""Lists input files and looks at the start of each before anything is read or written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from pyspark.sql import SparkSession

from interest_graph.config import SourceConfig
from interest_graph.events.delta_source import delta_files, delta_layout
from interest_graph.events.driver_files import opener
from interest_graph.events.listing import list_paths
from interest_graph.events.path_patterns import folder_columns
from interest_graph.events.readers import inspect_file
from interest_graph.events.readers.source_bytes import OpenFile
from interest_graph.events.records import Layout
from interest_graph.events.sources import InputFile

_OPEN_AT_ONCE = 16


def list_files(spark: SparkSession, source: SourceConfig) -> list[InputFile]:
    """The files that match the source's path, sorted; names that start with _ or . are skipped.

    Of a source of format delta, the data files of the table's newest version. Raises DataError when
    there is no file or no table, or when their store does not answer.
    """
    return delta_files(spark, source) if source.format == "delta" else list_paths(spark, source)


def inspect_files(
    spark: SparkSession, source: SourceConfig, files: Sequence[InputFile]
) -> dict[InputFile, Layout]:
    """The layout of each file; files without any content are left out.

    Files are opened beside one another, at most _OPEN_AT_ONCE at a time. Raises DataError naming
    file, column and the columns present where a mapped one is missing; of several files at fault,
    the first in the order given is named.
    """
    sized = [file for file in files if file.size_bytes > 0]
    found = _layouts(spark, source, sized)
    return {file: layout for file in sized if (layout := found[file]) is not None}


def _layouts(
    spark: SparkSession, source: SourceConfig, files: Sequence[InputFile]
) -> Mapping[InputFile, Layout | None]:
    if not files:
        return {}
    if source.format == "delta":  # the table has one schema for all its files
        return dict.fromkeys(files, delta_layout(spark, source))
    look = partial(_look, source=source, open_file=opener(spark, source.path))
    # Opening is waiting, for disks and object stores; threads wait together.
    with ThreadPoolExecutor(_OPEN_AT_ONCE, "inspection") as pool:
        return dict(zip(files, pool.map(look, files), strict=True))


def _look(file: InputFile, source: SourceConfig, open_file: OpenFile) -> Layout | None:
    folders = folder_columns(file.path, source.path)
    return inspect_file(file.path, source, open_file, folders)
