"""Download Maven artifacts with the Ivy JAR that is part of pyspark."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from interest_graph.errors import EnvironmentProblem

# Path of an ivysettings.xml, to use a mirror of Maven; like spark.jars.ivySettings in Spark.
SETTINGS_VARIABLE = "INTEREST_GRAPH_IVY_SETTINGS"
_TIMEOUT_SECONDS = 600


@dataclass(frozen=True)
class Coordinates:
    """A Maven artifact: group, artifact, version."""

    group: str
    artifact: str
    version: str

    def __str__(self) -> str:
        return f"{self.group}:{self.artifact}:{self.version}"

    @property
    def file_name(self) -> str:
        """Return the name that Maven gives the JAR."""
        return f"{self.artifact}-{self.version}.jar"


def resolve(wanted: Coordinates, jars: Path, into: Path) -> Path:
    """Download the JAR of an artifact, without dependencies, into a folder; return its path.

    jars: pyspark's jars folder, which has Ivy. Raises EnvironmentProblem when that fails.
    """
    command = [_java(), "-jar", str(_ivy(jars)), *_arguments(wanted, into)]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=_TIMEOUT_SECONDS
        )
    except subprocess.TimeoutExpired as error:
        raise EnvironmentProblem(f"{wanted}: no answer in {_TIMEOUT_SECONDS} s") from error
    if done.returncode != 0:
        raise EnvironmentProblem(f"{wanted}: {_reason(done.stdout + done.stderr)}")
    if not (into / wanted.file_name).is_file():
        raise EnvironmentProblem(f"{wanted}: resolved, but without a JAR")
    return into / wanted.file_name


def _arguments(wanted: Coordinates, into: Path) -> list[str]:
    settings = os.environ.get(SETTINGS_VARIABLE)
    # A new cache, because the user's may contain an incomplete entry.
    return [
        *(["-settings", settings] if settings else []),
        *["-cache", str(into / "cache")],
        *["-dependency", wanted.group, wanted.artifact, wanted.version],
        *["-notransitive", "-confs", "default", "-types", "jar"],
        *["-retrieve", str(into / "[artifact]-[revision].[ext]")],
    ]


def _java() -> str:
    home = os.environ.get("JAVA_HOME")
    java = str(Path(home, "bin", "java")) if home else shutil.which("java")
    if java is None or not Path(java).exists():
        raise EnvironmentProblem("no java found: install Java 17 and put it on PATH or JAVA_HOME")
    return java


def _ivy(jars: Path) -> Path:
    found = sorted(jars.glob("ivy-*.jar"))
    if not found:
        raise EnvironmentProblem(f"no ivy-*.jar in {jars}: reinstall pyspark")
    return found[-1]


def _reason(output: str) -> str:
    """Return the line of Ivy's output that has the reason of the failure."""
    lines = [line.strip(":\t ") for line in output.splitlines()]
    telling = [line for line in lines if "not found" in line or "Exception" in line]
    return (telling or [line for line in lines if line] or ["no message"])[-1]
