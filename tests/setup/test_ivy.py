"""Ivy's answers become a file or one line; a folder stands in for the registry."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from interest_graph.errors import EnvironmentProblem
from interest_graph.setup import ivy
from interest_graph.setup.ivy import Coordinates, resolve
from interest_graph.setup.jars import jars_folder

WANTED = Coordinates("org.example", "thing", "1.0")
POM = """<project><modelVersion>4.0.0</modelVersion><groupId>org.example</groupId>
<artifactId>thing</artifactId><version>1.0</version></project>"""
SETTINGS = """<ivysettings><settings defaultResolver="folder"/><resolvers>
<ibiblio name="folder" m2compatible="true" root="{root}"/></resolvers></ivysettings>"""


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty Maven repository in a folder, which Ivy is told to use."""
    root = tmp_path / "registry"
    root.mkdir()
    settings = tmp_path / "ivysettings.xml"
    settings.write_text(SETTINGS.format(root=root.as_uri()))
    monkeypatch.setenv(ivy.SETTINGS_VARIABLE, str(settings))
    return root


def test_served_jar_is_downloaded(registry: Path, tmp_path: Path) -> None:
    folder = registry / "org" / "example" / "thing" / "1.0"
    folder.mkdir(parents=True)
    (folder / "thing-1.0.pom").write_text(POM)
    with zipfile.ZipFile(folder / "thing-1.0.jar", "w") as jar:
        jar.writestr("a.txt", "a")

    found = resolve(WANTED, jars_folder(), tmp_path / "into")

    assert found == tmp_path / "into" / "thing-1.0.jar"
    assert found.read_bytes() == (folder / "thing-1.0.jar").read_bytes()


@pytest.mark.usefixtures("registry")
def test_absent_jar_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentProblem, match=r"thing;1\.0: not found"):
        resolve(WANTED, jars_folder(), tmp_path)


def test_missing_java_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))

    with pytest.raises(EnvironmentProblem, match="no java found: install Java 17"):
        resolve(WANTED, jars_folder(), tmp_path)


def test_pyspark_without_ivy_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentProblem, match="reinstall pyspark"):
        resolve(WANTED, tmp_path, tmp_path)
