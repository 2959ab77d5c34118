"""Files other than tables, in a local folder or on any file system that Hadoop supports.

Temporary files are under Spark's local directory. Files that outlive a run are written with
Hadoop's file system to the folder of the tables (s3a, abfss, gs, dbfs, hdfs, a Unity Catalog
volume).
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from py4j.protocol import Py4JJavaError
from pyspark.sql import SparkSession

from interest_graph.errors import ConfigError


def is_url(path: str) -> bool:
    """Whether the path has a scheme, such as s3a://bucket/folder or dbfs:/folder."""
    return ":/" in path


def absolute(root: str) -> str:
    """A local folder as an absolute path; URLs (s3a://, abfss://, dbfs:/) stay as they are."""
    return root.rstrip("/") if is_url(root) else str(Path(root).expanduser().resolve())


def work_folder(spark: SparkSession) -> Path:
    """A folder on the driver's host, under Spark's local directory; deleted with the session."""
    folder = spark.sparkContext._temp_dir
    return Path(folder)


def require_writable(root: str) -> None:
    """Raise ConfigError unless the local folder `root` can be created and written."""
    if is_url(root):
        return
    folder = Path(absolute(root))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / f"_writable_{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise ConfigError(
            "warehouse.table_root", f"{folder} cannot be written ({error.strerror})"
        ) from None


class FileSystem:
    """Reads and writes whole files; the scheme of a path, or Hadoop's default, decides where."""

    def __init__(self, spark: SparkSession) -> None:
        self._spark = spark
        self._jvm: Any = spark._jvm
        self._conf = spark._jsc.hadoopConfiguration()

    def exists(self, path: str) -> bool:
        """Whether there is a file or folder."""
        system, place = self._open(path)
        return bool(system.exists(place))

    def names(self, folder: str) -> list[str]:
        """Names of the entries of a folder, sorted; empty if there is no such folder."""
        system, place = self._open(folder)
        if not system.exists(place):
            return []
        # As one text: a call to the JVM for each name takes a millisecond.
        paths = self._jvm.org.apache.hadoop.fs.FileUtil.stat2Paths(system.listStatus(place))
        listing = str(self._jvm.org.apache.commons.lang3.ArrayUtils.toString(paths))[1:-1]
        # Every path is a whole URI, so a comma before a scheme ends the one before it.
        entries = re.split(r",(?=[a-z][a-z0-9+.-]*:/)", listing) if listing else []
        return sorted(entry.rsplit("/", 1)[-1] for entry in entries)

    def read(self, path: str) -> bytes:
        """The content of a small file. Raises FileNotFoundError if there is none."""
        system, place = self._open(path)
        if not system.exists(place):
            raise FileNotFoundError(path)
        stream = system.open(place)
        try:
            return bytes(stream.readAllBytes())
        finally:
            stream.close()

    def write(self, path: str, content: bytes) -> None:
        """Write a small file atomically: readers see the old content or the new.

        On a local disk by writing another file and renaming it; an object store shows a file only
        once it is closed.
        """
        local = self.local_path(path)
        if local is not None:
            local.parent.mkdir(parents=True, exist_ok=True)
            part = local.with_name(f".{local.name}.{os.getpid()}")
            part.write_bytes(content)
            part.replace(local)
            return
        system, place = self._open(path)
        stream = system.create(place, True)
        try:
            stream.write(bytearray(content))
        finally:
            stream.close()

    def upload(self, source: Path, path: str) -> None:
        """Move a local file to `path`, replacing what is there."""
        local = self.local_path(path)
        if local is not None:
            local.parent.mkdir(parents=True, exist_ok=True)
            source.replace(local)
            return
        system, place = self._open(path)
        system.copyFromLocalFile(True, True, self._path(source.as_uri()), place)

    def download(self, path: str, target: Path) -> None:
        """Copy a file to the local `target`."""
        system, place = self._open(path)
        system.copyToLocalFile(False, place, self._path(target.as_uri()), True)

    def delete(self, path: str) -> None:
        """Delete a file, or a folder with its content; does nothing if there is none."""
        system, place = self._open(path)
        system.delete(place, True)

    def local_path(self, path: str) -> Path | None:
        """The path as a local one if it is on the driver's disk, else None."""
        system, place = self._open(path)
        if str(system.getUri().getScheme()) != "file":
            return None
        return Path(str(place.toUri().getPath()))

    def require_reachable(self, root: str) -> None:
        """Raise ConfigError when a URL cannot be accessed: no such bucket, no key, no JAR."""
        try:
            self.exists(root)
        except Py4JJavaError as error:
            cause = str(error.java_exception.toString()).splitlines()[0][:300]
            raise ConfigError("warehouse.table_root", f"{root} is out of reach ({cause})") from None

    def _open(self, path: str) -> tuple[Any, Any]:
        place = self._path(path)
        return place.getFileSystem(self._conf), place

    def _path(self, path: str) -> Any:
        return self._jvm.org.apache.hadoop.fs.Path(path)
