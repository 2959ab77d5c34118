"""Ships item-level arrays from the driver to Python workers, and keeps them in files.

Files are safetensors: no code is run when one is read. Workers map them into memory, so the
workers of one host share the pages.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from interest_graph.errors import DataError
from interest_graph.filesystem import work_folder

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

Arrays = dict[str, np.ndarray]

_DTYPES = {
    "F64": "<f8",
    "F32": "<f4",
    "F16": "<f2",
    "I64": "<i8",
    "I32": "<i4",
    "U8": "|u1",
    "BOOL": "|b1",
}


@dataclass(frozen=True)
class Shipped:
    """A handle to arrays that workers can load; small and picklable.

    path: the file on the driver; name: its name among Spark's distributed files;
    digest: SHA-256 of its content, verified once a worker process.
    """

    path: str
    name: str
    digest: str

    def load(self) -> Arrays:
        """The arrays, read-only and memory-mapped; verified and mapped once a process."""
        return _load_verified(self)

    def discard(self) -> None:
        """Delete the driver's file; workers that have mapped it keep their view."""
        Path(self.path).unlink(missing_ok=True)


def ship(
    spark: SparkSession, arrays: Mapping[str, np.ndarray], folder: str | None = None
) -> Shipped:
    """Write `arrays` to one file that every worker can load.

    folder: where the driver keeps the file; by default a folder that goes with the session.
    The same content gets the same file name, so shipping it again costs no second copy.
    """
    home = Path(folder) if folder is not None else work_folder(spark)
    home.mkdir(parents=True, exist_ok=True)
    digest, path = _write_by_digest(arrays, home)
    # Without local executors the file travels with Spark's own file server.
    if (spark.sparkContext.master or "").split("[")[0] != "local":
        spark.sparkContext.addFile(str(path))
    return Shipped(path=str(path), name=path.name, digest=digest)


@contextmanager
def shipping(spark: SparkSession, arrays: Mapping[str, np.ndarray]) -> Iterator[Shipped]:
    """Ship arrays that are needed within the block only."""
    shipped = ship(spark, arrays)
    try:
        yield shipped
    finally:
        shipped.discard()


def save_arrays(path: str | Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write a safetensors file; a reader sees the old file or the new one, never a part."""
    _write_atomically(Path(path), _as_safetensors(arrays))


def load_arrays(path: str | Path) -> Arrays:
    """Map a safetensors file into memory: name -> read-only array."""
    raw = np.memmap(path, dtype=np.uint8, mode="r")
    start = 8 + int(raw[:8].view("<u8")[0])
    header: dict[str, Any] = json.loads(raw[8:start].tobytes())
    header.pop("__metadata__", None)
    return {name: _view(raw[start:], entry) for name, entry in header.items()}


def pack_texts(texts: Sequence[str]) -> np.ndarray:
    """Texts as one uint8 array, which can be shipped."""
    return np.frombuffer(json.dumps(list(texts)).encode(), dtype=np.uint8)


def unpack_texts(packed: np.ndarray) -> list[str]:
    """The texts that `pack_texts` packed."""
    texts: list[str] = json.loads(packed.tobytes())
    return texts


def _as_safetensors(arrays: Mapping[str, np.ndarray]) -> bytes:
    from safetensors.numpy import save

    content: bytes = save({name: np.ascontiguousarray(array) for name, array in arrays.items()})
    return content


def _view(body: np.ndarray, entry: Mapping[str, Any]) -> np.ndarray:
    begin, end = entry["data_offsets"]
    array: np.ndarray = body[begin:end].view(_DTYPES[entry["dtype"]]).reshape(entry["shape"])
    return array


def _write_by_digest(arrays: Mapping[str, np.ndarray], home: Path) -> tuple[str, Path]:
    content = _as_safetensors(arrays)
    digest = hashlib.sha256(content).hexdigest()
    path = home / f"arrays-{digest[:24]}.safetensors"
    if not path.exists():
        _write_atomically(path, content)
    return digest, path


def _write_atomically(path: Path, content: bytes) -> None:
    part = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}")
    part.write_bytes(content)
    part.replace(path)


# A round ships few files; older ones are let go so that their pages can be reclaimed.
@lru_cache(maxsize=8)
def _load_verified(shipped: Shipped) -> Arrays:
    path = _local_copy(shipped)
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != shipped.digest:
        expected = shipped.digest[:12]
        raise DataError(f"{path}: shipped arrays have digest {found[:12]}, not {expected}")
    return load_arrays(path)


def _local_copy(shipped: Shipped) -> Path:
    """The file itself where the worker shares the driver's disk, else Spark's copy."""
    own = Path(shipped.path)
    if own.exists():
        return own
    from pyspark import SparkFiles

    return Path(SparkFiles.get(shipped.name))
