"""Input files on any file system that Hadoop reads: listing them, comparing with the ledger.

The ledger is the table bronze.files: which files have been taken in, and in which batch.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote

from py4j.protocol import Py4JJavaError
from pyspark.sql import Row, SparkSession

from interest_graph.config import SourceConfig
from interest_graph.errors import ConfigError, DataError
from interest_graph.identity import digest


@dataclass(frozen=True, order=True)
class InputFile:
    """One listed file. path: the URI that Spark gives as `_metadata.file_path` of its rows."""

    source: str
    path: str
    size_bytes: int
    modified_ts: datetime

    @property
    def name(self) -> str:
        """The path without the scheme of local files, for messages."""
        return self.path.removeprefix("file:")

    @property
    def is_zstd(self) -> bool:
        """Whether the file is compressed by Zstandard, by its name."""
        return self.path.endswith(".zst")


def list_files(spark: SparkSession, source: SourceConfig) -> list[InputFile]:
    """The files that match the source's path, sorted; names that start with _ or . are skipped.

    A source of format delta: the data files of the table's current version.
    Raises DataError when there is no file or no table, or when their store does not answer.
    """
    try:
        return _list_delta(spark, source) if source.format == "delta" else _list(spark, source)
    except Py4JJavaError as error:
        problem = f"{source.path} cannot be listed ({_cause(error)})"
        raise DataError(f"source {source.name}: {problem}") from None


def _list(spark: SparkSession, source: SourceConfig) -> list[InputFile]:
    path = spark._jvm.org.apache.hadoop.fs.Path(source.path)  # type: ignore[union-attr]
    system = path.getFileSystem(spark._jsc.hadoopConfiguration())
    found = [status for top in system.globStatus(path) or [] for status in _walk(system, top)]
    if not found:
        raise DataError(f"source {source.name}: no file at {source.path}")
    return sorted(_as_file(source.name, status) for status in found)


def batch_id(files: Iterable[InputFile], shapes: Mapping[str, str]) -> str:
    """Digest of the listed files and of how they are read: the same give the same batch."""
    entries = [
        (f.source, f.path, f.size_bytes, f.modified_ts.isoformat(), shapes[f.source])
        for f in sorted(set(files))
    ]
    return digest(entries, 16)


def shape_of(source: SourceConfig) -> str:
    """Digest of the settings that shape a source's records in bronze, or its rows of attributes."""
    tree = source.model_dump(mode="json", exclude={"name", "path", "action", "actions", "time"})
    return digest(tree, 12)


def paths_of(files: Sequence[InputFile]) -> list[str]:
    """The files as Spark's readers take them: plain paths, not URIs, that are no patterns."""
    return [glob_escaped(unquote(file.name)) for file in files]


def glob_escaped(path: str) -> str:
    """The path with all characters escaped that Spark reads as parts of a glob pattern."""
    return "".join(f"\\{char}" if char in "{}[]*?\\" else char for char in path)


def _walk(system: Any, status: Any) -> Iterator[Any]:
    if status.getPath().getName().startswith(("_", ".")):
        return
    if not status.isDirectory():
        yield status
        return
    for child in system.listStatus(status.getPath()):
        yield from _walk(system, child)


def _as_file(source: str, status: Any) -> InputFile:
    modified = datetime.fromtimestamp(status.getModificationTime() / 1000, UTC)
    # Hadoop writes file:/x or file:///x by how it was asked; Spark's rows say file:/x.
    path = status.getPath().toUri().toString().replace("file:///", "file:/", 1)
    return InputFile(source, path, status.getLen(), modified)


def _list_delta(spark: SparkSession, source: SourceConfig) -> list[InputFile]:
    """The data files of the Delta table's current version; a data file never changes."""
    jvm: Any = spark._jvm
    path = jvm.org.apache.hadoop.fs.Path(source.path)
    system = path.getFileSystem(spark._jsc.hadoopConfiguration())
    log = jvm.org.apache.hadoop.fs.Path(path, "_delta_log")
    if not system.exists(log):
        raise DataError(f"source {source.name}: no Delta table at {source.path}")
    names = spark.read.format("delta").load(source.path).inputFiles()
    statuses = [
        system.getFileStatus(jvm.org.apache.hadoop.fs.Path(jvm.java.net.URI(n))) for n in names
    ]
    return sorted(_as_file(source.name, status) for status in statuses)


def _cause(error: Exception) -> str:
    if isinstance(error, Py4JJavaError):
        return str(error.java_exception.toString()).split(":", 1)[-1].strip()
    return str(error)


PENDING, DONE = "pending", "done"


@dataclass(frozen=True)
class Work:
    """Files to take in. unfinished: batch -> files, of batches that were begun; new: the others.

    abandoned: unfinished batches of which a file is gone or has changed; reshaped: sources whose
    files are taken in again because settings have changed.
    """

    unfinished: dict[str, list[InputFile]]
    new: list[InputFile]
    abandoned: list[str]
    reshaped: set[str]

    @property
    def waiting(self) -> list[InputFile]:
        """Every file to take in."""
        return [*self.new, *(file for files in self.unfinished.values() for file in files)]


def plan_work(
    listed: Sequence[InputFile],
    ledger: Sequence[Row],
    *,
    mutable: set[str],
    shapes: Mapping[str, str],
    force: bool = False,
) -> Work:
    """Compare the listed files with the ledger's rows of the same sources.

    mutable: names of sources whose changed files are taken in again (attributes); shapes: digest of
    the settings by source; force: take in again what other settings have shaped. Raises DataError
    for a changed file of any other source (logs), whose new records cannot be told from those that
    were taken in before, and ConfigError for changed settings of one.
    """
    present = {(file.source, file.path): file for file in listed}
    batches: dict[str, list[InputFile]] = {}
    for row in ledger:
        if row.status == PENDING:
            batches.setdefault(row.batch_id, []).extend(as_input_files([row]))
    reshaped = _reshaped(ledger, shapes, mutable if not force else shapes.keys())
    unfinished = {
        batch: files
        for batch, files in batches.items()
        if all(present.get((f.source, f.path)) == f and f.source not in reshaped for f in files)
    }
    taken = {(file.source, file.path) for files in unfinished.values() for file in files}
    done = {
        (file.source, file.path): file
        for file in as_input_files([row for row in ledger if row.status == DONE])
    }
    mine = [f for f in listed if f.source not in mutable]
    _refuse_changed([f for f in mine if done.get((f.source, f.path), f) != f])
    new = [
        f
        for f in listed
        if (f.source in reshaped or done.get((f.source, f.path)) != f)
        and (f.source, f.path) not in taken
    ]
    return Work(unfinished, new, sorted(set(batches) - set(unfinished)), reshaped)


def _reshaped(
    ledger: Sequence[Row], shapes: Mapping[str, str], may_change: Collection[str]
) -> set[str]:
    """Sources of which files were taken in with other settings."""
    changed = {row.source for row in ledger if row.settings not in (None, shapes[row.source])}
    refused = sorted(changed - set(may_change))
    if refused:
        n_files = sum(row.source == refused[0] for row in ledger)
        problem = (
            f"how records are read has changed since {n_files} files were taken in; "
            "ingest --force takes them in again"
        )
        raise ConfigError(f"sources.{refused[0]}", problem)
    return changed


def as_input_files(rows: Sequence[Row]) -> list[InputFile]:
    """Rows of the ledger as InputFiles."""
    # PySpark gives times without a zone, in that of this machine.
    return [
        InputFile(row.source, row.path, row.size_bytes, row.modified_ts.astimezone(UTC))
        for row in rows
    ]


def _refuse_changed(changed: Sequence[InputFile]) -> None:
    if changed:
        raise DataError(
            "log files have changed since they were taken in; give new versions other names",
            len(changed),
            [file.name for file in changed],
        )
