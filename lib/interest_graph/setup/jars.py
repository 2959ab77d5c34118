"""Put the JARs that Spark needs into this environment's pyspark, once, each by its SHA-256.

Lying in pyspark's jars folder they are on the class path of spark-submit, of standalone masters
and workers and of notebooks alike, so the session adds nothing and no network is needed later. The
JARs for S3 (281 MB) are an extra: a session starts no slower for them, measured.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from interest_graph.errors import EnvironmentProblem, InterestGraphError
from interest_graph.setup import graphframes_jar
from interest_graph.setup.ivy import Coordinates, resolve


@dataclass(frozen=True)
class PinnedJar:
    """A JAR of the environment: where it comes from and the only digest accepted."""

    coordinates: Coordinates
    sha256: str


DELTA = PinnedJar(
    Coordinates("io.delta", "delta-spark_2.12", "3.3.3"),
    "4912bf902a1c453aba3bd838ff212dedd357155212f9bb37a6b47d97f2827ebc",
)
DELTA_STORAGE = PinnedJar(
    Coordinates("io.delta", "delta-storage", "3.3.3"),
    "45ad193053fd30cebe6d9ab1889873cde39b223a0f210e00ebee8b6642476901",
)
GRAPHFRAMES = PinnedJar(
    graphframes_jar.COORDINATES,
    "f9f76e25e6edca12807110bb9503894a1f3b2a3156e7b01bd6e6b40a1371384f",
)
JARS = (DELTA, DELTA_STORAGE, GRAPHFRAMES)
# Hadoop's S3 client, of the version of the Hadoop in pyspark, and the one AWS bundle it fits.
S3_JARS = (
    PinnedJar(
        Coordinates("org.apache.hadoop", "hadoop-aws", "3.3.4"),
        "53f9ae03c681a30a50aa17524bd9790ab596b28481858e54efd989a826ed3a4a",
    ),
    PinnedJar(
        Coordinates("com.amazonaws", "aws-java-sdk-bundle", "1.12.262"),
        "873fe7cf495126619997bec21c44de5d992544aea7e632fdc77adb1a0915bae5",
    ),
)


def jars_folder() -> Path:
    """Return the jars folder of the pyspark of this environment."""
    spec = find_spec("pyspark")
    if spec is None or spec.origin is None:
        raise EnvironmentProblem("pyspark is not installed: run make setup")
    return Path(spec.origin).parent / "jars"


def missing_jars(folder: Path, wanted: Sequence[PinnedJar]) -> list[PinnedJar]:
    """Return the JARs that are absent from the folder or have another digest."""
    return [jar for jar in wanted if not _is_right(folder / jar.coordinates.file_name, jar)]


def install_jars(folder: Path, wanted: Sequence[PinnedJar], *, say: Callable[[str], None]) -> int:
    """Fetch what is missing into the folder; return how many JARs were put there."""
    missing = missing_jars(folder, wanted)
    for jar in missing:
        with tempfile.TemporaryDirectory() as scratch:
            source = _fetch(jar, folder, Path(scratch), say)
            _place(source, folder / jar.coordinates.file_name)
        say(f"{jar.coordinates.file_name}: installed")
    return len(missing)


def _fetch(jar: PinnedJar, folder: Path, scratch: Path, say: Callable[[str], None]) -> Path:
    if jar is GRAPHFRAMES:
        return _fetch_graphframes(jar, folder, scratch, say)
    return _checked(resolve(jar.coordinates, folder, scratch), jar)


def _fetch_graphframes(
    jar: PinnedJar, folder: Path, scratch: Path, say: Callable[[str], None]
) -> Path:
    """Take GraphFrames by its coordinates, or else the same classes out of the carrier."""
    target = scratch / jar.coordinates.file_name
    try:
        graphframes_jar.from_coordinates(folder, target)
        return _checked(target, jar)
    except EnvironmentProblem as problem:
        say(f"{problem}; taking the same classes out of the wheel {graphframes_jar.CARRIER.name}")
    graphframes_jar.from_carrier(target)
    return _checked(target, jar)


def _checked(path: Path, jar: PinnedJar) -> Path:
    found = _digest(path)
    if found != jar.sha256:
        raise EnvironmentProblem(f"{jar.coordinates}: SHA-256 is {found}, not {jar.sha256}")
    return path


def _is_right(path: Path, jar: PinnedJar) -> bool:
    return path.is_file() and _digest(path) == jar.sha256


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _place(source: Path, target: Path) -> None:
    """Move the file in one step, so that an interrupted set-up leaves no half JAR."""
    partial = target.with_name(f"{target.name}.{os.getpid()}.partial")
    shutil.copyfile(source, partial)
    partial.replace(target)


def main(argv: Sequence[str] = ()) -> int:
    """Install the JARs, with the argument `s3` those for S3; one line each. Returns exit code."""
    try:
        installed = install_jars(jars_folder(), S3_JARS if "s3" in argv else JARS, say=print)
    except InterestGraphError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    print("JARs: all in place" if not installed else f"JARs: {installed} installed")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
