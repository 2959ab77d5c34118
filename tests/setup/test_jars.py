"""JARs reach pyspark's folder by digest, from either source of GraphFrames, and only once."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from interest_graph.errors import EnvironmentProblem
from interest_graph.setup import graphframes_jar, jars
from interest_graph.setup.ivy import Coordinates
from interest_graph.setup.jars import PinnedJar, install_jars, missing_jars

CONTENT = b"a jar"
JAR = PinnedJar(Coordinates("org.example", "thing", "1.0"), hashlib.sha256(CONTENT).hexdigest())


def serving(content: bytes, calls: list[Coordinates]) -> Callable[[Coordinates, Path, Path], Path]:
    """Return a stand-in for a registry that serves the same bytes for all coordinates."""

    def resolve(wanted: Coordinates, _jars: Path, into: Path) -> Path:
        calls.append(wanted)
        (into / wanted.file_name).write_bytes(content)
        return into / wanted.file_name

    return resolve


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[Coordinates]:
    """Serve JAR; return what the registry is asked for."""
    asked: list[Coordinates] = []
    monkeypatch.setattr(jars, "resolve", serving(CONTENT, asked))
    return asked


def test_this_environment_has_all_jars() -> None:
    assert missing_jars(jars.jars_folder(), jars.JARS) == []


def test_installed_once_and_then_left_alone(tmp_path: Path, calls: list[Coordinates]) -> None:
    assert install_jars(tmp_path, [JAR], say=print) == 1
    assert install_jars(tmp_path, [JAR], say=print) == 0

    assert (tmp_path / "thing-1.0.jar").read_bytes() == CONTENT
    assert [path.name for path in tmp_path.iterdir()] == ["thing-1.0.jar"]
    assert calls == [JAR.coordinates]


def test_damaged_jar_is_fetched_again(tmp_path: Path, calls: list[Coordinates]) -> None:
    (tmp_path / "thing-1.0.jar").write_bytes(b"half a j")

    assert install_jars(tmp_path, [JAR], say=print) == 1

    assert (tmp_path / "thing-1.0.jar").read_bytes() == CONTENT
    assert len(calls) == 1


def test_other_digest_is_refused_and_nothing_stays(
    tmp_path: Path, calls: list[Coordinates], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jars, "resolve", serving(b"another jar", calls))

    with pytest.raises(EnvironmentProblem, match=r"thing:1\.0: SHA-256 is \w+, not"):
        install_jars(tmp_path, [JAR], say=print)

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("argv", "wanted"), [([], jars.JARS), (["s3"], jars.S3_JARS)])
def test_the_jars_for_s3_are_an_extra(
    argv: list[str], wanted: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []
    monkeypatch.setattr(jars, "install_jars", lambda _, jars, say: asked.append(jars) or 0)

    assert jars.main(argv) == 0
    assert asked == [wanted]


def zip_with(path: Path, *names: str) -> Path:
    """Write a JAR whose entries hold their own names."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            archive.writestr(name, name)
    return path


OURS = ("org/graphframes/GraphFrame.class", "org/apache/spark/graphframes/graphx/Graph.class")


def test_only_graphframes_classes_are_taken(tmp_path: Path) -> None:
    foreign = ("zingg/Secret.class", "META-INF/LICENSE", "org/apache/spark/sql/Other.class")
    source = zip_with(tmp_path / "source.jar", "org/graphframes/", *foreign, *OURS)

    graphframes_jar._write(tmp_path / "out.jar", graphframes_jar._entries(source))

    assert sorted(zipfile.ZipFile(tmp_path / "out.jar").namelist()) == sorted(OURS)


def test_same_classes_give_the_same_bytes_in_any_order(tmp_path: Path) -> None:
    written = []
    for number, names in enumerate([OURS, OURS[::-1]]):
        source = zip_with(tmp_path / f"{number}.jar", *names)
        graphframes_jar._write(tmp_path / f"out{number}.jar", graphframes_jar._entries(source))
        written.append((tmp_path / f"out{number}.jar").read_bytes())

    assert written[0] == written[1]


def test_jar_without_graphframes_is_refused(tmp_path: Path) -> None:
    source = zip_with(tmp_path / "source.jar", "zingg/Secret.class")

    with pytest.raises(EnvironmentProblem, match=r"no GraphFrames classes found for out\.jar"):
        graphframes_jar._write(tmp_path / "out.jar", graphframes_jar._entries(source))


@pytest.mark.parametrize("served", [True, False])
def test_graphframes_comes_from_the_carrier_only_where_coordinates_fail(
    served: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    used, said = [], []

    def from_coordinates(_jars: Path, target: Path) -> None:
        if not served:
            raise EnvironmentProblem("graphframes: not found")
        used.append("coordinates")
        target.write_bytes(CONTENT)

    def from_carrier(target: Path) -> None:
        used.append("carrier")
        target.write_bytes(CONTENT)

    monkeypatch.setattr(jars, "GRAPHFRAMES", JAR)
    monkeypatch.setattr(graphframes_jar, "from_coordinates", from_coordinates)
    monkeypatch.setattr(graphframes_jar, "from_carrier", from_carrier)

    install_jars(tmp_path, [JAR], say=said.append)

    assert used == ["coordinates" if served else "carrier"]
    assert any("not found; taking the same classes" in line for line in said) is not served


def test_failure_is_one_line_and_an_exit_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(_folder: Path, _wanted: object, *, say: object) -> int:
        raise EnvironmentProblem("org.example:thing:1.0: not found")

    monkeypatch.setattr(jars, "install_jars", fail)

    assert jars.main() == EnvironmentProblem.exit_code
    assert capsys.readouterr().err == "error: org.example:thing:1.0: not found\n"
