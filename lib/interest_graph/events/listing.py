"""Lists the files of a source, whatever their names are.

Hadoop's own patterns fail where a name has a colon, as times have, so that names are matched here.
Local files are listed without the JVM, all others by Hadoop's listing of one folder.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from py4j.java_gateway import is_instance_of
from py4j.protocol import Py4JJavaError
from pyspark.sql import SparkSession

from interest_graph.config import SourceConfig
from interest_graph.errors import DataError
from interest_graph.events.path_patterns import (
    absolute,
    expanded,
    file_uri,
    has_wildcard,
    is_hidden,
    literal,
    name_matcher,
    split_scheme,
)
from interest_graph.events.sources import InputFile
from interest_graph.filesystem import FileSystem


@dataclass(frozen=True)
class Entry:
    """A file or folder. path: as its file system opens it; uri: as the ledger names it."""

    path: str
    uri: str
    is_folder: bool
    size_bytes: int
    modified_ms: int

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rsplit("/", 1)[-1]


class Folders(Protocol):
    """The two questions that a listing asks of a file system."""

    def entry(self, path: str) -> Entry | None:
        """What lies at the path; None if there is nothing."""

    def entries(self, folder: str) -> list[Entry]:
        """What lies in the folder."""


def list_paths(spark: SparkSession, source: SourceConfig) -> list[InputFile]:
    """The files that match the source's path, sorted by their URI.

    Below a folder all files count. Names that start with _ or . are left out, unless the path
    names them. Raises DataError when there is no file, or when the file system does not answer.
    """
    try:
        found = list_local(source.path) if _is_local(spark, source.path) else _remote(spark, source)
    except Py4JJavaError as error:
        reason = str(error.java_exception.toString()).split(":", 1)[-1].strip()
        raise _cannot_be_listed(source, reason) from None
    except OSError as error:
        raise _cannot_be_listed(source, error.strerror or str(error)) from None
    except DataError as error:
        raise DataError(f"source {source.name}: {error}") from None
    if not found:
        raise DataError(f"source {source.name}: no file at {source.path}")
    return sorted(as_input_file(source.name, entry, entry.uri) for entry in found)


def list_local(pattern: str) -> list[Entry]:
    """The files of this machine that match the pattern, each once. Raises OSError, DataError."""
    scheme, path = split_scheme(pattern)
    return matching_files(LocalFolders(), path if scheme else absolute(path))


def matching_files(folders: Folders, pattern: str) -> list[Entry]:
    """The files that match the pattern of an absolute path, or that lie below folders that do.

    Where nothing matches, the path is tried as it is: a name may hold brackets.
    """
    found = {
        entry.path: entry
        for path in expanded(pattern)
        for top in _matches(folders, "", [name for name in _normal(path).split("/") if name])
        for entry in _files_below(folders, top)
    }
    exact = folders.entry(_normal(pattern)) if not found and has_wildcard(pattern) else None
    return list(_files_below(folders, exact)) if exact else list(found.values())


def as_input_file(source: str, entry: Entry, uri: str) -> InputFile:
    """The file as the ledger has it."""
    # Hadoop writes file:/x or file:///x by how it was asked; Spark's rows say file:/x.
    path = uri.replace("file:///", "file:/", 1)
    modified = datetime.fromtimestamp(entry.modified_ms / 1000, UTC)
    return InputFile(source, path, entry.size_bytes, modified)


class LocalFolders:
    """Files of this machine, by absolute paths."""

    def entry(self, path: str) -> Entry | None:
        """What lies at the path; None if there is nothing."""
        try:
            return self._entry(path, os.stat(path))
        except (FileNotFoundError, NotADirectoryError):
            return None

    def entries(self, folder: str) -> list[Entry]:
        """What lies in the folder; links that lead nowhere are left out."""
        found = (self.entry(f"{folder}/{name}") for name in os.listdir(folder or "/"))
        return [entry for entry in found if entry is not None]

    def _entry(self, path: str, status: os.stat_result) -> Entry:
        _require_unicode(path)
        is_folder = stat.S_ISDIR(status.st_mode)
        modified_ms = status.st_mtime_ns // 1_000_000
        return Entry(path, file_uri(path), is_folder, status.st_size, modified_ms)


class HadoopFolders:
    """Files of one of Hadoop's file systems; paths are absolute, without scheme and host."""

    def __init__(self, spark: SparkSession, root: str) -> None:
        self._jvm: Any = spark._jvm
        self._gateway: Any = spark.sparkContext._gateway
        path = self._path(root)
        self._system = path.getFileSystem(spark._jsc.hadoopConfiguration())
        qualified = str(self._system.makeQualified(path).toString())
        self.scheme = split_scheme(qualified)[0]
        self.home = split_scheme(str(self._system.getWorkingDirectory().toString()))[1]

    def entry(self, path: str) -> Entry | None:
        """What lies at the path; None if there is nothing."""
        try:
            return self._entry(
                self._system.getFileStatus(self._path(f"{self.scheme}{path or '/'}"))
            )
        except Py4JJavaError as error:
            kind = "java.io.FileNotFoundException"
            if is_instance_of(self._gateway, error.java_exception, kind):
                return None
            raise

    def entries(self, folder: str) -> list[Entry]:
        """What lies in the folder."""
        place = self._path(f"{self.scheme}{folder or '/'}")
        return [self._entry(status) for status in self._system.listStatus(place)]

    def _path(self, path: str) -> Any:
        return self._jvm.org.apache.hadoop.fs.Path(path)

    def _entry(self, status: Any) -> Entry:
        uri = status.getPath().toUri()
        return Entry(
            path=str(uri.getPath()),
            uri=str(uri.toString()),
            is_folder=bool(status.isDirectory()),
            size_bytes=int(status.getLen()),
            modified_ms=int(status.getModificationTime()),
        )


def _matches(folders: Folders, parent: str, names: list[str]) -> Iterator[Entry]:
    """Entries below the folder `parent` that match the names of a pattern."""
    # Literal names in one step: a folder above need not be readable.
    n_literal = next((n for n, name in enumerate(names) if has_wildcard(name)), len(names))
    path = "/".join([parent, *map(literal, names[:n_literal])])
    top = folders.entry(path)
    if top is None:
        return
    if n_literal == len(names):
        yield top
        return
    if not top.is_folder:
        return
    first, *others = names[n_literal:]
    matcher = name_matcher(first)
    for entry in folders.entries(path):
        if not matcher.fullmatch(entry.name) or (is_hidden(entry.name) and not is_hidden(first)):
            continue
        if not others:
            yield entry
        elif entry.is_folder:
            yield from _matches(folders, entry.path, others)


def _files_below(folders: Folders, top: Entry) -> Iterator[Entry]:
    if not top.is_folder:
        yield top
        return
    for entry in folders.entries(top.path):
        if not is_hidden(entry.name):
            yield from _files_below(folders, entry)


def _normal(path: str) -> str:
    """The path without . and .. names, as Hadoop's Path has it."""
    names: list[str] = []
    for name in path.split("/"):
        if name == ".." and names:
            names.pop()
        elif name not in ("", ".", ".."):
            names.append(name)
    return f"/{'/'.join(names)}"


def _remote(spark: SparkSession, source: SourceConfig) -> list[Entry]:
    scheme, path = split_scheme(source.path)
    folders = HadoopFolders(spark, scheme + "/" if scheme else "/")
    return matching_files(folders, path if path.startswith("/") else f"{folders.home}/{path}")


def _is_local(spark: SparkSession, path: str) -> bool:
    return FileSystem(spark).is_local(f"{split_scheme(path)[0]}/")


def _require_unicode(path: str) -> None:
    try:
        path.encode()
    except UnicodeEncodeError:
        raise DataError(f"{ascii(path)[1:-1]} has a name that is not UTF-8") from None


def _cannot_be_listed(source: SourceConfig, reason: str) -> DataError:
    return DataError(f"source {source.name}: {source.path} cannot be listed ({reason})")
