"""Download a pinned wheel with pip."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from interest_graph.errors import EnvironmentProblem


@dataclass(frozen=True)
class Wheel:
    """A wheel of the package index by name, version and SHA-256."""

    name: str
    version: str
    sha256: str

    @property
    def pin(self) -> str:
        """Return the line for a requirements file; pip refuses a file with another digest."""
        return f"{self.name}=={self.version} --hash=sha256:{self.sha256}"


@contextmanager
def fetched(wheel: Wheel) -> Iterator[Path]:
    """Yield the downloaded wheel, without its dependencies; it is deleted afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        requirements = Path(folder, "requirements.txt")
        requirements.write_text(f"{wheel.pin}\n", encoding="utf-8")
        _download(wheel, requirements)
        yield next(Path(folder).glob("*.whl"))


def _download(wheel: Wheel, requirements: Path) -> None:
    options = ["--quiet", "--no-deps", "--only-binary=:all:", "--require-hashes"]
    target = ["--dest", str(requirements.parent), "--requirement", str(requirements)]
    command = [sys.executable, "-m", "pip", "download", *options, *target]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        what = f"pip could not fetch {wheel.name}=={wheel.version}: {_reason(done.stderr)}"
        raise EnvironmentProblem(what)


def _reason(stderr: str) -> str:
    """Return the line of pip's output that has the reason of the failure."""
    lines = stderr.splitlines() or ["no message"]
    errors = [line for line in lines if line.startswith("ERROR: ") and "Exception:" not in line]
    return (errors or lines[-1:])[0].removeprefix("ERROR: ")
