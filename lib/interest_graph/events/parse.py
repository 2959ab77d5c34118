"""Reads input files into records: a STRING column for each mapped name, the rest as JSON.

Every record has its file and a position: Spark's row number within the read. It increases along a
file, and equals the line's index from 0 if the file is read alone and in one split. It needs no
shuffle and is the same whenever the same files are read with the same split size. Only the
reference from a refused record to its file uses it.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import reduce
from operator import add

import pandas as pd
import zstandard
from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, MapType, StringType, StructField, StructType

from interest_graph.config import SourceConfig
from interest_graph.config.sources import group_names
from interest_graph.errors import DataError
from interest_graph.events.custom_format import read_custom, reader_errors
from interest_graph.events.source_schema import SourceSchema, resolve
from interest_graph.events.sources import InputFile, paths_of, read_problem

_LINES_PER_BATCH = 20_000
_MAP = "map<string,string>"
_SEPARATOR = "\x01"  # between the groups of a log line; no text log holds it


def read_records(
    spark: SparkSession, source: SourceConfig, schemas: Sequence[SourceSchema]
) -> DataFrame:
    """Records of the files: file, position, is_readable, payload and the mapped columns as text.

    payload: what the mapping leaves over as a JSON object, or the raw line where it is unreadable.
    """
    readers = {
        "csv": _read_csv,
        "json": _read_json,
        "log": _read_log,
        "parquet": _read_typed,
        "delta": _read_typed,
    }
    if source.format in readers:
        frames = [readers[source.format](spark, source, schema) for schema in schemas]
    else:
        frames = [read_custom(spark, source, schema.files) for schema in schemas]
    return _one_item_each(reduce(DataFrame.unionByName, frames), source)


def _one_item_each(records: DataFrame, source: SourceConfig) -> DataFrame:
    """Turn a record with a list of items into one record an item, with new positions."""
    if source.explode is None:
        return records
    items = F.split("item_id", re.escape(source.explode))
    one_each = records.withColumn("item_id", F.explode_outer(items))
    return one_each.withColumn("position", F.monotonically_increasing_id())


@contextmanager
def naming_broken_file(spark: SparkSession, files: Sequence[InputFile]) -> Iterator[None]:
    """Turns Spark's failure over a damaged file into a DataError that names the file."""
    try:
        with reader_errors():
            yield
    except (Py4JJavaError, PySparkException):
        for file in files:
            problem = read_problem(spark, file)
            if problem is not None:
                message = f"source {file.source}: {file.name} is damaged ({problem})"
                raise DataError(message) from None
        raise


def _provenance() -> list[Column]:
    file = F.col("_metadata.file_path").alias("file")
    return [file, F.monotonically_increasing_id().alias("position")]


def _read_csv(spark: SparkSession, source: SourceConfig, schema: SourceSchema) -> DataFrame:
    # Positional names: a header may repeat a name or differ from another in case alone.
    names = [f"c{n}" for n in range(len(schema.columns))]
    fields = StructType([StructField(name, StringType()) for name in [*names, "_unreadable"]])
    options = _csv_options(source)
    if schema.files[0].is_zstd:
        lines = _zstd_lines(spark, source, schema.files)
        lines = lines.where("position > 0") if source.header else lines
        parsed = F.from_csv("value", fields.simpleString()[7:-1].replace(":", " "), options)
        raw = lines.select("file", "position", parsed.alias("row")).select(
            "file", "position", "row.*"
        )
    else:
        reader = spark.read.schema(fields).options(**options, encoding=source.encoding)
        header = {"header": str(source.header), "multiLine": str(source.multiline)}
        raw = (
            reader.options(**header)
            .csv(paths_of(schema.files))
            .select(*_provenance(), *fields.names)
        )
    positions = dict(zip(schema.columns, names, strict=True))
    is_readable = F.col("_unreadable").isNull()
    mapped = {key: positions.get(column) for key, column in source.columns.items()}
    rest = [
        F.col(positions[c]).alias(c) for c in schema.columns if c not in source.columns.values()
    ]
    return raw.select(
        "file",
        "position",
        is_readable.alias("is_readable"),
        F.when(is_readable, _as_json(rest)).otherwise(F.col("_unreadable")).alias("payload"),
        *[_text(F.col(name) if name else None).alias(key) for key, name in mapped.items()],
    )


def _csv_options(source: SourceConfig) -> dict[str, str]:
    return {
        "sep": source.delimiter,
        "quote": source.quote,
        "escape": source.quote,  # a doubled quote stands for one (RFC 4180)
        "mode": "PERMISSIVE",
        "columnNameOfCorruptRecord": "_unreadable",
        "columnPruning": "false",  # with it, a row of too few or too many fields goes unnoticed
    }


def _read_json(spark: SparkSession, source: SourceConfig, schema: SourceSchema) -> DataFrame:
    parsed = _lines(spark, source, schema.files).withColumn(
        "_fields", F.from_json("value", F.lit(_MAP))
    )
    fields, is_readable = F.col("_fields"), F.col("_fields").isNotNull()
    # With the rest, so that each key is looked up once for both.
    taken = {f"_taken_{key}": _json_field(fields, column) for key, column in source.columns.items()}
    return parsed.withColumns({"_rest": _rest(fields, source), **taken}).select(
        "file",
        "position",
        is_readable.alias("is_readable"),
        F.when(~is_readable, F.col("value"))
        .when(F.size("_rest") > 0, F.to_json("_rest"))
        .alias("payload"),
        *[F.col(f"_taken_{key}").alias(key) for key in source.columns],
    )


def _rest(fields: Column, source: SourceConfig) -> Column:
    """The fields of a JSON object that are not mapped; null if all are."""
    whole = sorted({column for column in source.columns.values() if "." not in column})
    if not whole:
        return fields
    # Looking at every key is slow, and most logs hold mapped fields alone: count first.
    n_taken = reduce(add, (fields[column].isNotNull().cast("int") for column in whole))
    rest = F.map_filter(fields, lambda key, _: ~key.isin(whole))
    return F.when(F.size(fields) > n_taken, rest)


def _json_field(fields: Column, column: str) -> Column:
    """A field by name, or by its path of dots through nested objects."""
    top, _, path = column.partition(".")
    if not path:
        return fields[column]
    return F.coalesce(fields[column], F.get_json_object(fields[top], f"$.{path}"))


def _read_log(spark: SparkSession, source: SourceConfig, schema: SourceSchema) -> DataFrame:
    groups = group_names(source.regex)
    # One match a line: the groups are put side by side, then split.
    joined = _SEPARATOR.join(f"${{{name}}}" for name in groups)
    side_by_side = F.split(F.regexp_replace("value", source.regex, joined), _SEPARATOR)
    parsed = _lines(spark, source, schema.files).withColumn("_groups", side_by_side)
    is_readable = F.size("_groups") == len(groups)
    mapped = source.columns.values()
    rest = [_group(groups, name).alias(name) for name in groups if name not in mapped]
    return parsed.select(
        "file",
        "position",
        is_readable.alias("is_readable"),
        F.when(is_readable, _as_json(rest)).otherwise(F.col("value")).alias("payload"),
        *[F.when(is_readable, _group(groups, name)).alias(k) for k, name in source.columns.items()],
    )


def _group(groups: Sequence[str], name: str) -> Column:
    # Access logs write - for nothing.
    return F.nullif(F.col("_groups")[groups.index(name)], F.lit("-"))


def _read_typed(spark: SparkSession, source: SourceConfig, schema: SourceSchema) -> DataFrame:
    if source.format == "delta":
        listed = [file.path for file in schema.files]
        table = spark.read.format("delta").load(source.path)
        frame = table.where(F.col("_metadata.file_path").isin(listed))
    else:
        frame = spark.read.parquet(*paths_of(schema.files))
    mapped = {key: resolve(source, name, schema.columns) for key, name in source.columns.items()}
    rest = [F.col(f"`{name}`") for name in frame.columns if name not in mapped.values()]
    return frame.select(
        *_provenance(),
        F.lit(True).alias("is_readable"),
        _as_json(rest).alias("payload"),
        *[_as_text(frame, name).alias(key) for key, name in mapped.items()],
    )


def _as_text(frame: DataFrame, name: str | None) -> Column:
    if name is None:
        return _text(None)
    column = F.col(name)
    kind = frame.select(column).schema[0].dataType
    nested = isinstance(kind, StructType | ArrayType | MapType)
    return F.to_json(column) if nested else column.cast("string")


def _text(column: Column | None) -> Column:
    return F.lit(None).cast("string") if column is None else column


def _as_json(columns: Sequence[Column]) -> Column:
    return F.to_json(F.struct(*columns)) if columns else _text(None)


def _lines(spark: SparkSession, source: SourceConfig, files: Sequence[InputFile]) -> DataFrame:
    """file, position, value: the lines that are not blank."""
    if files[0].is_zstd:
        return _zstd_lines(spark, source, files)
    lines = spark.read.text(paths_of(files)).select(*_provenance(), "value")
    if source.encoding.upper() != "UTF-8":
        lines = lines.withColumn("value", F.decode(F.col("value").cast("binary"), source.encoding))
    return lines.where(F.trim("value") != "")


def _zstd_lines(spark: SparkSession, source: SourceConfig, files: Sequence[InputFile]) -> DataFrame:
    """Lines of zstd files, streamed through Python: Hadoop would need native libraries."""
    packed = spark.read.format("binaryFile").load(paths_of(files))
    columns = packed.select(F.col("_metadata.file_path").alias("file"), "content")
    encoding = source.encoding

    def unpack(batches: Iterable[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        for batch in batches:
            for file, content in zip(batch["file"], batch["content"], strict=True):
                yield from _numbered_lines(file, content, encoding)

    return columns.mapInPandas(unpack, "file STRING, position BIGINT, value STRING")


def _numbered_lines(file: str, content: bytes, encoding: str) -> Iterator[pd.DataFrame]:
    """Batches of a file's lines with their index from 0; blank lines are left out."""
    stream = zstandard.ZstdDecompressor().stream_reader(
        io.BytesIO(content), read_across_frames=True
    )
    text = io.TextIOWrapper(stream, encoding=encoding, errors="replace")
    batch: list[tuple[str, int, str]] = []
    for position, line in enumerate(text):
        if line.strip():
            batch.append((file, position, line.rstrip("\r\n").removeprefix("\ufeff")))
        if len(batch) == _LINES_PER_BATCH:
            yield pd.DataFrame(batch, columns=["file", "position", "value"])
            batch = []
    yield pd.DataFrame(batch, columns=["file", "position", "value"])
