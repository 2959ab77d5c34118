"""Build the GraphFrames JAR from one of two sources; the result is the same, byte by byte."""

from __future__ import annotations

import io
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from interest_graph.errors import EnvironmentProblem
from interest_graph.setup.ivy import Coordinates, resolve
from interest_graph.setup.wheels import Wheel, fetched

COORDINATES = Coordinates("io.graphframes", "graphframes-spark3_2.12", "0.10.0")
# GraphFrames' copy of GraphX, a separate artifact since 0.9.3.
GRAPHX = Coordinates("io.graphframes", "graphframes-graphx-spark3_2.12", "0.10.0")
# A package of another licence that contains the unchanged Apache-2.0 classes; see NOTICE.
CARRIER = Wheel(
    "zingg", "0.7.0", "b4dc8de4a954262f181b4209e07925e5212cdd12dd7614f2e0e5b7c3e1638e07"
)
_JAR_IN_CARRIER = "zingg/jars/zingg-0.7.0.jar"
_PREFIXES = (
    "org/graphframes/",
    "org/apache/spark/graphframes/",
    "org/apache/spark/sql/graphframes/",
)
_ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)


def from_coordinates(jars: Path, target: Path) -> None:
    """Write the JAR from two Maven artifacts: GraphFrames and its copy of GraphX."""
    with tempfile.TemporaryDirectory() as folder:
        parts = [resolve(part, jars, Path(folder)) for part in (COORDINATES, GRAPHX)]
        _write(target, (entry for jar in parts for entry in _entries(jar)))


def from_carrier(target: Path) -> None:
    """Write the JAR from the GraphFrames classes in the wheel CARRIER; the rest is not used."""
    with fetched(CARRIER) as wheel, zipfile.ZipFile(wheel) as archive:
        _write(target, _entries(io.BytesIO(archive.read(_JAR_IN_CARRIER))))


def _entries(jar: Path | BinaryIO) -> Iterator[tuple[str, bytes]]:
    with zipfile.ZipFile(jar) as archive:
        for name in archive.namelist():
            if name.startswith(_PREFIXES) and not name.endswith("/"):
                yield name, archive.read(name)


def _write(target: Path, entries: Iterable[tuple[str, bytes]]) -> None:
    """Write the entries sorted, uncompressed and with a fixed date, so that the digest is fixed."""
    contents = dict(entries)
    if not contents:
        raise EnvironmentProblem(f"no GraphFrames classes found for {target.name}")
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(contents):
            archive.writestr(zipfile.ZipInfo(name, _ZIP_EPOCH), contents[name])
