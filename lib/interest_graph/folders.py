"""A folder of a job's own files, the same to use whether it is local or lies on an object store."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pyspark.sql import SparkSession

from interest_graph.filesystem import FileSystem, absolute, is_url, work_folder


class Folder(Protocol):
    """Files by name; a name may have folders in it, such as round-00001/items.safetensors.

    Small files are read and written as bytes. Larger ones are local files meanwhile: write to
    `local(name)` and `put(name)` it, or `fetch(name)`.
    """

    def path(self, name: str) -> str:
        """Where Spark and people find the file or folder."""

    def names(self) -> list[str]:
        """Names of the folder's own entries, in order; none where there is no folder."""

    def read(self, name: str) -> bytes:
        """The content of a small file. Raises FileNotFoundError."""

    def write(self, name: str, content: bytes) -> None:
        """Replace a small file; a reader sees the old content or the new."""

    def local(self, name: str) -> Path:
        """Where the file is written on this host, before it is put."""

    def put(self, name: str) -> None:
        """Make what lies at `local(name)` the file."""

    def fetch(self, name: str) -> Path:
        """The file on this host. Raises FileNotFoundError."""

    def delete(self, name: str = "") -> None:
        """Delete a file, or a folder with all that it holds; without a name, this folder."""


def open_folder(spark: SparkSession, path: str) -> Folder:
    """The folder at a path or URL; it need not exist yet."""
    path = absolute(spark, path)
    is_local = not is_url(path) and FileSystem(spark).is_local(path)
    return LocalFolder(Path(path)) if is_local else RemoteFolder(spark, path)


@dataclass(frozen=True)
class LocalFolder:
    """A folder on the driver's disk, without a JVM: files are written and read in place."""

    root: Path

    def path(self, name: str) -> str:
        """Where Spark and people find the file or folder."""
        return str(self.root / name)

    def names(self) -> list[str]:
        """Names of the folder's own entries, in order."""
        return sorted(entry.name for entry in self.root.iterdir()) if self.root.is_dir() else []

    def read(self, name: str) -> bytes:
        """The content of a small file. Raises FileNotFoundError."""
        return (self.root / name).read_bytes()

    def write(self, name: str, content: bytes) -> None:
        """Replace a small file in one step."""
        part = self.local(f"{name}.part")
        part.write_bytes(content)
        part.replace(self.root / name)

    def local(self, name: str) -> Path:
        """The file itself."""
        file = self.root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        return file

    def put(self, name: str) -> None:
        """Nothing is left to do: the file was written in place."""

    def fetch(self, name: str) -> Path:
        """The file itself. Raises FileNotFoundError."""
        if not (self.root / name).is_file():
            raise FileNotFoundError(self.path(name))
        return self.root / name

    def delete(self, name: str = "") -> None:
        """Delete a file or folder; nothing happens where none is."""
        target = self.root / name
        if target.is_file():
            target.unlink()
        else:
            shutil.rmtree(target, ignore_errors=True)


class RemoteFolder:
    """A folder that Hadoop reads and writes; files pass through a work folder of this host.

    A file that was put or fetched once is not fetched again. The work folder lies under Spark's
    local directory, and goes with this object.
    """

    def __init__(self, spark: SparkSession, url: str) -> None:
        self._files, self._url = FileSystem(spark), url
        self._work = Path(tempfile.mkdtemp(prefix="folder-", dir=work_folder(spark)))
        weakref.finalize(self, shutil.rmtree, self._work, ignore_errors=True)

    def path(self, name: str) -> str:
        """Where Spark and people find the file or folder."""
        return f"{self._url}/{name}".rstrip("/")

    def names(self) -> list[str]:
        """Names of the folder's own entries, in order."""
        return self._files.names(self._url)

    def read(self, name: str) -> bytes:
        """The content of a small file, as it is now. Raises FileNotFoundError."""
        return self._files.read(self.path(name))

    def write(self, name: str, content: bytes) -> None:
        """Replace a small file; a reader sees the old content or the new."""
        self._files.write(self.path(name), content)

    def local(self, name: str) -> Path:
        """A file of the work folder."""
        file = self._work / name
        file.parent.mkdir(parents=True, exist_ok=True)
        return file

    def put(self, name: str) -> None:
        """Upload what lies at `local(name)`."""
        self._files.upload(self._work / name, self.path(name))

    def fetch(self, name: str) -> Path:
        """The file in the work folder, downloaded unless it is there. Raises FileNotFoundError."""
        file = self.local(name)
        if not file.exists():
            self._files.download(self.path(name), file)
        return file

    def delete(self, name: str = "") -> None:
        """Delete a file or folder, here and there; nothing happens where none is."""
        self._files.delete(self.path(name))
        if (self._work / name).is_file():
            (self._work / name).unlink()
        else:
            shutil.rmtree(self._work / name, ignore_errors=True)
