"""A pinned wheel comes by pip, and a file of another digest is refused; no index is asked."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

import pytest

from interest_graph.errors import EnvironmentProblem
from interest_graph.setup.wheels import Wheel, fetched


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small wheel in a folder that is all that pip may look at."""
    path = tmp_path / "thing-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr("thing.py", "")
        wheel.writestr(
            "thing-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: thing\nVersion: 1.0\n"
        )
        wheel.writestr("thing-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        wheel.writestr("thing-1.0.dist-info/RECORD", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    return path


def test_wheel_of_the_right_digest_is_handed_over_and_then_deleted(served: Path) -> None:
    digest = hashlib.sha256(served.read_bytes()).hexdigest()

    with fetched(Wheel("thing", "1.0", digest)) as wheel:
        assert wheel.read_bytes() == served.read_bytes()

    assert not wheel.exists()


@pytest.mark.usefixtures("served")
@pytest.mark.parametrize(
    ("version", "reason"), [("1.0", "DO NOT MATCH THE HASHES"), ("2.0", "Could not find a version")]
)
def test_wrong_digest_and_missing_version_are_one_line(version: str, reason: str) -> None:
    wheel = Wheel("thing", version, "0" * 64)

    with pytest.raises(EnvironmentProblem) as caught, fetched(wheel):
        pass

    assert str(caught.value).startswith(f"pip could not fetch thing=={version}: ")
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)
