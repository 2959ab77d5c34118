"""Delta tables as sources: their data files and the records of some of them.

Spark reads the table, so that partition columns, mapped column names and deletion vectors are what
the table's protocol makes of them. A data file never changes, but a deletion vector may be added
that takes rows out of it. Such a file is listed as path#dv=id: one with another vector is another
input. Its rows were all among those of the file without the vector; see `data_file`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any
from urllib.parse import unquote

import numpy as np
import pyarrow as pa
from py4j.java_gateway import JavaClass
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import to_arrow_schema

from interest_graph.config import SourceConfig
from interest_graph.errors import DataError, one_line
from interest_graph.events.listing import HadoopFolders, LocalFolders, as_input_file
from interest_graph.events.path_patterns import split_scheme, uri_path
from interest_graph.events.readers.table_records import layout_of, records_of
from interest_graph.events.records import Layout, schema_of
from interest_graph.events.sources import VECTOR, InputFile

# Where Spark gives no row numbers, rows are counted from the start of each split of a file. A split
# of several MB holds less than 1,024 rows a byte, so that no two rows get the same number.
_ROWS_PER_BYTE = 1024


def delta_files(spark: SparkSession, source: SourceConfig) -> list[InputFile]:
    """The data files of the table's newest version, sorted; with a deletion vector, path#dv=id.

    Sizes and times are those of the files. Raises DataError where there is no table, or where a
    file of it is gone.
    """
    _, paths = _newest(spark, source)
    is_local = all(path.startswith("file:/") for path in paths)
    folders = LocalFolders() if is_local else HadoopFolders(spark, source.path)
    files = []
    for path in paths:
        place = unquote(split_scheme(data_file(path))[1])
        entry = folders.entry(place)
        if entry is None:
            raise DataError(f"source {source.name}: {place} of {source.path} does not exist")
        files.append(as_input_file(source.name, entry, path))
    return sorted(files)


def data_file(path: str) -> str:
    """The URI of a listed file without its deletion vector, as Spark's rows give it.

    Of events that were taken in from the same data file before, a new vector only takes some away:
    there is nothing to read again. Attributes, of which only the newest count, are read again.
    """
    return path.partition(VECTOR)[0]


def delta_layout(spark: SparkSession, source: SourceConfig) -> Layout:
    """The columns of the table. Raises DataError where it lacks a mapped one."""
    schema = to_arrow_schema(_load(spark, source, None).schema)
    try:
        return layout_of(schema, source)
    except DataError as error:
        raise DataError(f"source {source.name}: {source.path} {error}") from None


def delta_records(spark: SparkSession, source: SourceConfig, files: Sequence[str]) -> DataFrame:
    """Records of the listed files: file, as it is listed, and the columns of all records.

    position: number of the row in its data file, deleted rows counted, in tables that have deletion
    vectors or row tracking; in others a number that differs for all rows of a file: that of the
    row, unless Spark reads the file in several splits. Raises DataError for files that the
    table's newest version does not have, in this form.
    """
    version, present = _newest(spark, source)
    gone = sorted(set(files) - set(present))
    if gone:
        raise DataError(f"source {source.name}: files are no longer in the table", len(gone), gone)
    table = _load(spark, source, version)
    listed = {data_file(path): path for path in files}
    kernel = partial(_records, source=source, listed=listed)
    columns = "".join(f", `{column}` STRING" for column in source.columns)
    fixed = "file STRING, position BIGINT, length BIGINT, is_readable BOOLEAN, payload STRING"
    wanted = table.where(F.col("_metadata.file_path").isin(list(listed)))
    return wanted.select(
        F.col("_metadata.file_path").alias("file"),
        F.col("_metadata.file_block_start").alias("start"),
        _row_index(table).alias("position"),
        F.struct("*").alias("row"),
    ).mapInArrow(kernel, fixed + columns)


def _records(
    batches: Iterable[pa.RecordBatch], *, source: SourceConfig, listed: dict[str, str]
) -> Iterator[pa.RecordBatch]:
    """Records of rows; file, start and position of each are those of Spark, position may be null.

    listed: the data file's URI -> the file as it is listed.
    """
    number = _row_counter()
    schema = pa.schema([("file", pa.string()), *schema_of(source.columns)])
    for batch in batches:
        row = batch.column("row")
        rows = pa.RecordBatch.from_arrays(row.flatten(), schema=pa.schema(list(row.type)))
        records = records_of(rows, 0, source, Layout())
        positions = number(batch) if batch.column("position").null_count else batch["position"]
        uris = batch.column("file").dictionary_encode()
        names = pa.array([listed[uri] for uri in uris.dictionary.to_pylist()], pa.string())
        columns = [names.take(uris.indices), positions, *records.columns[1:]]
        yield from pa.Table.from_arrays(columns, schema=schema).to_batches()


def _row_counter() -> Callable[[pa.RecordBatch], pa.Array]:
    """A function that numbers the rows of batches that follow one another."""
    seen: Counter[tuple[str, int]] = Counter()

    def number(batch: pa.RecordBatch) -> pa.Array:
        files = batch.column("file").dictionary_encode()
        starts = batch.column("start").to_numpy()
        codes = files.indices.to_numpy()
        change = np.flatnonzero((np.diff(codes) != 0) | (np.diff(starts) != 0)) + 1
        positions = np.empty(len(codes), dtype=np.int64)
        # Runs are few: a task reads one split after another.
        for run in np.split(np.arange(len(codes)), change):
            if len(run):
                split = (files.dictionary[int(codes[run[0]])].as_py(), int(starts[run[0]]))
                positions[run] = split[1] * _ROWS_PER_BYTE + seen[split] + np.arange(len(run))
                seen[split] += len(run)
        return pa.array(positions)

    return number


def _row_index(table: DataFrame) -> Any:
    """Spark's number of the row in its file; null in tables of which Delta does not give it."""
    known: Any = table.select("_metadata").schema[0].dataType
    has_index = "row_index" in known.names
    return F.col("_metadata.row_index") if has_index else F.lit(None).cast("bigint")


def _load(spark: SparkSession, source: SourceConfig, version: int | None) -> DataFrame:
    reader = spark.read.format("delta")
    try:
        pinned = reader if version is None else reader.option("versionAsOf", version)
        return pinned.load(source.path)
    except PySparkException as error:
        raise _no_table(source, one_line(error)) from None


def _newest(spark: SparkSession, source: SourceConfig) -> tuple[int | None, list[str]]:
    """The newest version, where it can be told, and its files as they are listed."""
    log = _delta_log(spark)
    if log is None:
        table = _load(spark, source, None)
        rows = table.select(F.col("_metadata.file_path").alias("path")).distinct().collect()
        return None, [row.path for row in rows]
    try:
        snapshot = log.forTableWithSnapshot(spark._jsparkSession, source.path)._2()
        version = int(snapshot.version())
        if version < 0:
            raise _no_table(source, "there is no log")
        entries = DataFrame(snapshot.allFiles().toDF(), spark)
        rows = entries.select("path", "deletionVector").collect()
    except PySparkException as error:
        raise _no_table(source, one_line(error)) from None
    root = str(snapshot.path().getParent().toString())
    return version, [_listed(root, row.path, row.deletionVector) for row in rows]


def _delta_log(spark: SparkSession) -> Any:
    """Delta's own access to the log; None in runtimes that have another Delta Lake inside."""
    jvm: Any = spark._jvm
    log = jvm.org.apache.spark.sql.delta.DeltaLog
    return log if isinstance(log, JavaClass) else None


def _listed(root: str, path: str, vector: Any) -> str:
    """The file as it is listed. path: as in the log, a URI, relative to the table or absolute."""
    decoded = unquote(path)
    is_absolute = decoded.startswith("/") or split_scheme(decoded)[0] != ""
    scheme, place = split_scheme(decoded if is_absolute else f"{root}/{decoded}")
    uri = f"{(scheme or split_scheme(root)[0]).removesuffix('//')}{uri_path(place)}"
    return uri if vector is None else f"{uri}{VECTOR}{_vector_id(vector)}"


def _vector_id(vector: Any) -> str:
    """The id of a deletion vector by Delta's protocol: what its storage and offset are."""
    offset = "" if vector.offset is None else f"@{vector.offset}"
    return f"{vector.storageType}{vector.pathOrInlineDv}{offset}"


def _no_table(source: SourceConfig, reason: str) -> DataError:
    return DataError(f"source {source.name}: no Delta table at {source.path} ({reason})")
