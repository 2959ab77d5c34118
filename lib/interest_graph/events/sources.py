"""Input files on any file system that Hadoop reads: listed, and compared with the ledger."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import zstandard
from py4j.protocol import Py4JJavaError
from pyspark.sql import Row, SparkSession

from interest_graph.config import SourceConfig
from interest_graph.errors import DataError
from interest_graph.identity import digest

_HEAD_BYTES = 1 << 18  # enough for any header and for hundreds of records


@dataclass(frozen=True, order=True)
class InputFile:
    """One file as listed. `path` is the URI that Spark reports for the file's rows."""

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
    """The files that the source's path names, in order; names that start with _ or . are hidden.

    Raises DataError when there is none.
    """
    if source.format == "delta":
        return _list_delta(spark, source)
    path = spark._jvm.org.apache.hadoop.fs.Path(source.path)  # type: ignore[union-attr]
    system = path.getFileSystem(spark._jsc.hadoopConfiguration())
    found = [status for top in system.globStatus(path) or [] for status in _walk(system, top)]
    if not found:
        raise DataError(f"source {source.name}: no file at {source.path}")
    return sorted(_as_file(source.name, status) for status in found)


def batch_id(files: Iterable[InputFile]) -> str:
    """Digest of the listed files: the same files give the same batch."""
    entries = [
        (f.source, f.path, f.size_bytes, f.modified_ts.isoformat()) for f in sorted(set(files))
    ]
    return digest(entries, 16)


def first_lines(spark: SparkSession, file: InputFile, encoding: str) -> list[str]:
    """The lines at the start of a text file, decompressed; the last one may be cut.

    Raises DataError when the file cannot be read.
    """
    try:
        raw = _read_head(spark, file)
    except (Py4JJavaError, zstandard.ZstdError) as error:
        reason = _cause(error)
        raise DataError(f"source {file.source}: {file.name} cannot be read ({reason})") from None
    text = raw.decode(encoding, errors="replace").removeprefix("\ufeff")
    return text.splitlines()


def read_problem(spark: SparkSession, file: InputFile) -> str | None:
    """What stops the file from being read to its end; None where nothing does."""
    jvm: Any = spark._jvm
    try:
        stream = _open(spark, file)
        try:
            stream.transferTo(jvm.java.io.OutputStream.nullOutputStream())
        finally:
            stream.close()
    except Py4JJavaError as error:
        return _cause(error)
    return None


def glob_escaped(path: str) -> str:
    """The path with characters that Spark would take for a pattern escaped."""
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
    """The data files of the table's present version; each is immutable."""
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


def _read_head(spark: SparkSession, file: InputFile) -> bytes:
    stream = _open(spark, file)
    try:
        if file.is_zstd:
            packed = io.BytesIO(bytes(stream.readNBytes(_HEAD_BYTES)))
            return zstandard.ZstdDecompressor().stream_reader(packed).read(_HEAD_BYTES)
        return bytes(stream.readNBytes(_HEAD_BYTES))
    finally:
        stream.close()


def _open(spark: SparkSession, file: InputFile) -> Any:
    """A Java stream of the file, decompressed where Hadoop can."""
    jvm: Any = spark._jvm
    path = jvm.org.apache.hadoop.fs.Path(jvm.java.net.URI(file.path))
    conf = spark._jsc.hadoopConfiguration()
    stream = path.getFileSystem(conf).open(path)
    codec = jvm.org.apache.hadoop.io.compress.CompressionCodecFactory(conf).getCodec(path)
    return stream if codec is None or file.is_zstd else codec.createInputStream(stream)


def _cause(error: Exception) -> str:
    if isinstance(error, Py4JJavaError):
        return str(error.java_exception.toString()).split(":", 1)[-1].strip()
    return str(error)


PENDING, DONE = "pending", "done"


@dataclass(frozen=True)
class Work:
    """Files to take in: those of unfinished batches by batch, and new ones."""

    unfinished: dict[str, list[InputFile]]
    new: list[InputFile]
    abandoned: list[str]  # unfinished batches of which a file is gone or has changed

    @property
    def waiting(self) -> list[InputFile]:
        """Every file to take in."""
        return [*self.new, *(file for files in self.unfinished.values() for file in files)]


def plan_work(listed: Sequence[InputFile], ledger: Sequence[Row], *, mutable: set[str]) -> Work:
    """Compare the listing with the ledger's rows of the same sources.

    mutable: sources whose changed files are taken in again (attributes). A log file that has
    changed since raises DataError: its new records cannot be told from those already held.
    """
    present = {(file.source, file.path): file for file in listed}
    batches: dict[str, list[InputFile]] = {}
    for row in ledger:
        if row.status == PENDING:
            batches.setdefault(row.batch_id, []).extend(as_input_files([row]))
    unfinished = {
        batch: files
        for batch, files in batches.items()
        if all(present.get((file.source, file.path)) == file for file in files)
    }
    taken = {(file.source, file.path) for files in unfinished.values() for file in files}
    done = {
        (file.source, file.path): file
        for file in as_input_files([row for row in ledger if row.status == DONE])
    }
    _refuse_changed(
        [f for f in listed if done.get((f.source, f.path), f) != f and f.source not in mutable]
    )
    new = [
        f for f in listed if done.get((f.source, f.path)) != f and (f.source, f.path) not in taken
    ]
    return Work(unfinished, new, sorted(set(batches) - set(unfinished)))


def as_input_files(rows: Sequence[Row]) -> list[InputFile]:
    """The ledger's rows as files."""
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
