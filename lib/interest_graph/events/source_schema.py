"""Which columns each input file holds, found before anything is read or written."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import unquote

from pyspark.errors import PySparkException
from pyspark.sql import SparkSession
from pyspark.sql.types import DataType, StructType

from interest_graph.config import SourceConfig
from interest_graph.config.sources import group_names
from interest_graph.errors import DataError
from interest_graph.events.custom_format import columns_by_file
from interest_graph.events.sources import InputFile, first_lines, glob_escaped
from interest_graph.plugins import is_plugin

# JSON fields come and go with the producer's version; these must be there all the same.
_JSON_REQUIRED = {"user_id", "item_id", "action", "event_time", "friend_id"}

_OPEN_AT_ONCE = 16


@dataclass(frozen=True)
class SourceSchema:
    """Files that hold the same columns; `kind` tells layouts apart by names and declared types."""

    files: tuple[InputFile, ...]
    columns: tuple[str, ...]
    kind: str

    def only(self, files: Sequence[InputFile]) -> SourceSchema | None:
        """The layout of those of its files that are among `files`; None without any."""
        wanted = set(files)
        kept = tuple(file for file in self.files if file in wanted)
        return SourceSchema(kept, self.columns, self.kind) if kept else None


def source_schemas(
    spark: SparkSession, source: SourceConfig, files: Sequence[InputFile]
) -> list[SourceSchema]:
    """Group the files by their columns; files without any content are left out.

    Files are opened beside one another, at most _OPEN_AT_ONCE at a time. Raises DataError naming
    file, column and the columns present where a mapped one is missing; of several files at fault,
    the first in the order given is named.
    """
    sized = [file for file in files if file.size_bytes > 0]
    layouts = _layouts(spark, source, sized)
    found = [(file, *layout) for file, layout in zip(sized, layouts, strict=True)]
    # zstd files are read in another way than the rest.
    filled = [(file, columns, f"{kind}{file.is_zstd}") for file, columns, kind in found if columns]
    for file, columns, _ in filled:
        _require_mapped(source, file, columns)
    kinds = {kind: columns for _, columns, kind in filled}
    return [
        SourceSchema(tuple(f for f, _, other in filled if other == kind), columns, kind)
        for kind, columns in kinds.items()
    ]


def resolve(source: SourceConfig, name: str, columns: Sequence[str]) -> str | None:
    """The present column that holds the mapped one: itself, or the object that it reaches into."""
    if name in columns:
        return name
    top = name.split(".", 1)[0]
    return top if source.format == "json" and top in columns else None


def _layouts(
    spark: SparkSession, source: SourceConfig, files: Sequence[InputFile]
) -> list[tuple[tuple[str, ...], str]]:
    """The columns of each file, none for one without content, and the kind of its layout."""
    if is_plugin(source.format) and files:
        columns = columns_by_file(spark, source, files)
        return [(columns.get(file.path, ()), source.format) for file in files]
    if source.format == "delta":  # the table has one schema for all its files
        return [_layout(spark, source, file) for file in files[:1]] * len(files)
    # Opening is waiting, for disks and object stores; threads wait together.
    with ThreadPoolExecutor(_OPEN_AT_ONCE, "source-schema") as pool:
        return list(pool.map(partial(_layout, spark, source), files))


def _layout(
    spark: SparkSession, source: SourceConfig, file: InputFile
) -> tuple[tuple[str, ...], str]:
    if source.format in ("parquet", "delta"):
        schema = _declared_schema(spark, source, file)
        return tuple(_leaves(schema)), schema.simpleString()
    lines = first_lines(spark, file, source.encoding)
    if not any(line.strip() for line in lines):
        return (), ""
    if source.format == "json":
        return _json_columns(source, file, lines), "json"
    if source.format == "log":
        return _log_columns(source, file, lines), "log"
    fields = _split(source, lines[0])
    columns = tuple(fields) if source.header else tuple(f"_c{n}" for n in range(len(fields)))
    return columns, json.dumps(columns)


def _declared_schema(spark: SparkSession, source: SourceConfig, file: InputFile) -> StructType:
    if source.format == "delta":
        return spark.read.format("delta").load(source.path).schema
    try:
        return spark.read.parquet(glob_escaped(unquote(file.name))).schema
    except PySparkException as error:
        reason = str(error).splitlines()[0]
        raise DataError(f"source {source.name}: {file.name} is not Parquet ({reason})") from None


def _leaves(schema: StructType, prefix: str = "") -> Iterator[str]:
    """Names of the columns and, dotted, of the fields within objects."""
    for field in schema:
        yield f"{prefix}{field.name}"
        inner: DataType = field.dataType
        if isinstance(inner, StructType):
            yield from _leaves(inner, f"{prefix}{field.name}.")


def _json_columns(source: SourceConfig, file: InputFile, lines: list[str]) -> tuple[str, ...]:
    records = [record for line in lines if isinstance(record := _json_or_none(line), dict)]
    if not records:
        raise DataError(
            f"source {source.name}: {file.name} holds no JSON object in its first lines"
        )
    names = {name: None for record in records for name in _json_leaves(record)}
    lenient = [column for key, column in source.columns.items() if key not in _JSON_REQUIRED]
    return (*names, *(column for column in lenient if column not in names))


def _json_or_none(line: str) -> Any:
    try:
        return json.loads(line)
    except ValueError:
        return None


def _json_leaves(record: dict[str, Any], prefix: str = "") -> Iterator[str]:
    for key, value in record.items():
        yield f"{prefix}{key}"
        if isinstance(value, dict):
            yield from _json_leaves(value, f"{prefix}{key}.")


def _log_columns(source: SourceConfig, file: InputFile, lines: list[str]) -> tuple[str, ...]:
    # Python writes (?P<name>...) where Java writes (?<name>...).
    regex = re.compile(re.sub(r"\(\?<(?=[a-zA-Z])", "(?P<", source.regex))
    if not any(regex.search(line) for line in lines):
        raise DataError(
            f"source {source.name}: no line at the start of {file.name} fits the pattern"
        )
    return tuple(group_names(source.regex))


def _split(source: SourceConfig, line: str) -> list[str]:
    if len(source.delimiter) > 1 or not source.quote:
        return line.split(source.delimiter)
    return next(csv.reader([line], delimiter=source.delimiter, quotechar=source.quote), [])


def _require_mapped(source: SourceConfig, file: InputFile, columns: Sequence[str]) -> None:
    missing = [
        name
        for key, name in source.columns.items()
        if key not in source.optional and resolve(source, name, columns) is None
    ]
    if not missing:
        return
    hint = "; is the delimiter right?" if source.format == "csv" and len(columns) == 1 else ""
    present = ", ".join(columns[:30])
    problem = f"{file.name} has no column {', '.join(missing)}; present: {present}{hint}"
    raise DataError(f"source {source.name}: {problem}")
