"""Files other than tables, in a local folder or on any file system that Hadoop supports.

A path without a scheme is looked up where Hadoop's default file system has it, as Spark does: on
the local disk unless a Hadoop configuration names another, such as a cluster's HDFS. What must
outlive the run goes through Hadoop to the folder of the tables (s3a, abfss, gs, dbfs, hdfs, a Unity
Catalog volume); local work files lie under Spark's local directory.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

from py4j.java_gateway import is_instance_of
from py4j.protocol import Py4JJavaError
from pyspark.sql import SparkSession

from interest_graph.errors import ConfigError

# Stores that show a file once it is closed, and whose rename is a copy (dbfs lies on such stores).
_WHOLE_FILES = {"s3a", "s3", "s3n", "gs", "dbfs"}


def is_url(path: str) -> bool:
    """Whether the path has a scheme, such as s3a://bucket/folder or dbfs:/folder."""
    return ":/" in path


def absolute(spark: SparkSession, path: str) -> str:
    """The path as every process finds it, whatever the folder that it was started in.

    URLs stay as they are, and so do absolute paths where Hadoop's default file system is not the
    local disk.
    """
    if is_url(path):
        return path.rstrip("/")
    files = FileSystem(spark)
    if files.is_local(path):
        return str(Path(path).expanduser().resolve())
    return path if path.startswith("/") else files.qualified(path)


def work_folder(spark: SparkSession) -> Path:
    """A folder of the driver's host under Spark's local directory; it goes with the session."""
    jvm: Any = spark._jvm
    folder = Path(str(jvm.org.apache.spark.SparkFiles.getRootDirectory())) / "interest-graph"
    folder.mkdir(exist_ok=True)
    return folder


def require_writable(root: str | Path) -> None:
    """Raise ConfigError unless the local folder `root` can be created and written."""
    folder = Path(root).expanduser().resolve()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / f"_writable_{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise ConfigError(
            "warehouse.table_root", f"{folder} cannot be written ({error.strerror})"
        ) from None


def require_local_writable(spark: SparkSession, root: str) -> None:
    """Raise ConfigError where `root` is a local folder that cannot be written."""
    local = FileSystem(spark).local_path(absolute(spark, root))
    if local is not None:
        require_writable(local)


class FileSystem:
    """Reads and writes whole files; the scheme of a path, or Hadoop's default, decides where."""

    def __init__(self, spark: SparkSession) -> None:
        self._jvm: Any = spark._jvm
        self._gateway: Any = spark.sparkContext._gateway
        self._conf = spark._jsc.hadoopConfiguration()

    def exists(self, path: str) -> bool:
        """Whether there is a file or folder."""
        system, place = self._open(path)
        return bool(system.exists(place))

    def names(self, folder: str) -> list[str]:
        """Names of the entries of a folder, in order; none where there is no folder."""
        local = self.local_path(folder)
        try:
            return sorted(self._list(folder) if local is None else os.listdir(local))
        except (FileNotFoundError, NotADirectoryError):
            return []

    def read(self, path: str) -> bytes:
        """The content of a small file. Raises FileNotFoundError."""
        local = self.local_path(path)
        if local is not None:
            return local.read_bytes()
        with self._absence_as_file_not_found(path):
            system, place = self._open(path)
            stream = system.open(place)
            try:
                return bytes(stream.readAllBytes())
            finally:
                stream.close()

    def write(self, path: str, content: bytes) -> None:
        """Replace a small file; a reader sees the old content or the new."""
        local = self.local_path(path)
        if local is not None:
            part = _part_of(local)
            part.write_bytes(content)
            part.replace(local)
            return
        with self._replacing(path) as (system, part):
            stream = system.create(part, True)
            try:
                stream.write(bytearray(content))
            finally:
                stream.close()

    def upload(self, source: Path, path: str) -> None:
        """Replace the file at `path` by a local one of any size, which stays."""
        local = self.local_path(path)
        if local is not None:
            part = _part_of(local)
            shutil.copyfile(source, part)
            part.replace(local)
            return
        with self._replacing(path) as (system, part):
            system.copyFromLocalFile(False, True, self._path(f"file://{source}"), part)

    def download(self, path: str, target: Path) -> None:
        """Copy a file of any size to the local `target`. Raises FileNotFoundError."""
        with self._absence_as_file_not_found(path):
            system, place = self._open(path)
            system.copyToLocalFile(False, place, self._path(f"file://{target}"), True)

    def delete(self, path: str) -> None:
        """Delete a file, or a folder with its content; does nothing if there is none."""
        system, place = self._open(path)
        system.delete(place, True)

    def make_folder(self, path: str) -> None:
        """Make a folder and those above it, unless they are there."""
        system, place = self._open(path)
        system.mkdirs(place)

    def is_local(self, path: str) -> bool:
        """Whether the path lies on the disk of the host."""
        scheme = path.split(":", 1)[0] if is_url(path) else self._default_scheme
        return scheme == "file"

    def local_path(self, path: str) -> Path | None:
        """The path as Python's, where it lies on the driver's disk."""
        if not self.is_local(path):
            return None
        return Path(f"/{path[5:].lstrip('/')}" if path.startswith("file:") else path)

    def qualified(self, path: str) -> str:
        """The path with its scheme and host; a relative one from the user's working directory."""
        system, place = self._open(path)
        return str(system.makeQualified(place).toString())

    def _list(self, folder: str) -> list[str]:
        fs: Any = self._jvm.org.apache.hadoop.fs
        with self._absence_as_file_not_found(folder):
            system, place = self._open(folder)
            found = system.listStatus(place)
        # As FileStatus[], since Py4J finds no method that takes S3AFileStatus[].
        statuses = self._gateway.new_array(fs.FileStatus, len(found))
        self._jvm.java.lang.System.arraycopy(found, 0, statuses, 0, len(found))
        # One text for all: to ask the JVM for every name takes a millisecond each.
        paths = fs.FileUtil.stat2Paths(statuses)
        listing = str(self._jvm.org.apache.commons.lang3.ArrayUtils.toString(paths))[1:-1]
        # Every path is a whole URI, so a comma before a scheme ends the one before it.
        entries = re.split(r",(?=[a-z][a-z0-9+.-]*:/)", listing) if listing else []
        return [entry.rsplit("/", 1)[-1] for entry in entries]

    @contextmanager
    def _absence_as_file_not_found(self, path: str) -> Iterator[None]:
        """Python's error for Java's: on an object store it costs two requests to ask before."""
        try:
            yield
        except Py4JJavaError as error:
            kind = "java.io.FileNotFoundException"
            if not is_instance_of(self._gateway, error.java_exception, kind):
                raise
            raise FileNotFoundError(path) from None

    @contextmanager
    def _replacing(self, path: str) -> Iterator[tuple[Any, Any]]:
        """Gives a file system and where to write on it; what lies there then replaces `path`."""
        system, place = self._open(path)
        if str(system.getUri().getScheme()) in _WHOLE_FILES:
            yield system, place
            return
        part = self._path(f"{place.getParent().toString()}/.{place.getName()}.{os.getpid()}")
        yield system, part
        self._rename(system, part, place)

    def _rename(self, system: Any, part: Any, place: Any) -> None:
        try:
            rename = self._jvm.org.apache.hadoop.fs.Options.Rename
            options = self._gateway.new_array(rename, 1)
            options[0] = rename.OVERWRITE
            context = self._jvm.org.apache.hadoop.fs.FileContext
            context.getFileContext(system.getUri(), self._conf).rename(part, place, options)
        except Py4JJavaError:  # a file system without that call: for a moment there is no file
            system.delete(place, False)
            system.rename(part, place)

    @cached_property
    def _default_scheme(self) -> str:
        system = self._jvm.org.apache.hadoop.fs.FileSystem
        return str(system.getDefaultUri(self._conf).getScheme())

    def _open(self, path: str) -> tuple[Any, Any]:
        place = self._path(path)
        return place.getFileSystem(self._conf), place

    def _path(self, path: str) -> Any:
        return self._jvm.org.apache.hadoop.fs.Path(path)


def _part_of(file: Path) -> Path:
    """Where the file's next content is written before it is renamed."""
    file.parent.mkdir(parents=True, exist_ok=True)
    return file.with_name(f".{file.name}.{os.getpid()}")
