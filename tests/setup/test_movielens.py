"""The demo's data comes out of its wheel by digest, once, with its owner's name."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from interest_graph.errors import EnvironmentProblem
from interest_graph.setup import movielens
from interest_graph.setup.wheels import Wheel


@pytest.fixture
def downloads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Wheel]:
    """Stand in a wheel with small files; return the downloads made."""
    made: list[Wheel] = []
    carrier = tmp_path / "carrier.whl"
    with zipfile.ZipFile(carrier, "w") as archive:
        for name in (*movielens.FILES, "ml-100k.kg"):
            archive.writestr(f"recbole/dataset_example/ml-100k/{name}", name)

    @contextmanager
    def fetched(wheel: Wheel) -> Iterator[Path]:
        made.append(wheel)
        yield carrier

    digests = {name: hashlib.sha256(name.encode()).hexdigest() for name in movielens.FILES}
    monkeypatch.setattr(movielens, "fetched", fetched)
    monkeypatch.setattr(movielens, "FILES", digests)
    return made


def test_first_call_fetches_and_names_the_owner(
    downloads: list[Wheel], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert movielens.main([str(tmp_path / "data")]) == 0

    assert {path.name for path in (tmp_path / "data").iterdir()} == set(movielens.FILES)
    assert downloads == [movielens.CARRIER]
    assert "GroupLens" in capsys.readouterr().out


def test_second_call_does_nothing_and_is_silent(
    downloads: list[Wheel], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    movielens.main([str(tmp_path)])
    capsys.readouterr()

    assert movielens.main([str(tmp_path)]) == 0

    assert len(downloads) == 1
    assert capsys.readouterr().out == ""


def test_damaged_file_is_fetched_again(downloads: list[Wheel], tmp_path: Path) -> None:
    movielens.fetch_movielens(tmp_path)
    (tmp_path / "ml-100k.item").write_text("half")

    assert movielens.fetch_movielens(tmp_path)

    assert (tmp_path / "ml-100k.item").read_text() == "ml-100k.item"
    assert len(downloads) == 2


def test_failed_download_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fetched(_wheel: Wheel) -> None:
        raise EnvironmentProblem("pip could not fetch recbole==1.2.1: no network")

    monkeypatch.setattr(movielens, "fetched", fetched)

    assert movielens.main([str(tmp_path / "data")]) == EnvironmentProblem.exit_code
    assert capsys.readouterr().err == "error: pip could not fetch recbole==1.2.1: no network\n"
