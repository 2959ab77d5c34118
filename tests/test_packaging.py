"""Wheel and zip hold the library and import alone; nothing is committed that should not be."""

from __future__ import annotations

import re
import runpy
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LIBRARY = ROOT / "lib"
HOSTS = r"(pypi|pythonhosted|maven|sonatype|npmjs|debian)\.(org|com)"
HOMES = r"(?<![\w.])/(root|home|work|Users)/\w+"
DATA = r"\.(csv|tsv|inter|parquet|jar|whl|zip|gz|npy|safetensors|db)$"


def run_from_zip(library_zip: Path, code: str) -> str:
    """Run code with the zip before everything else on the path; return what it prints."""
    first = f"import sys; sys.path.insert(0, {str(library_zip)!r})\n"
    done = subprocess.run(
        [sys.executable, "-c", first + code], capture_output=True, text=True, cwd="/"
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_zip_holds_every_file_of_the_library(library_zip: Path) -> None:
    files = {path.relative_to(LIBRARY) for path in LIBRARY.rglob("*") if path.is_file()}
    wanted = {str(path) for path in files if "__pycache__" not in path.parts}

    packed = {name for name in zipfile.ZipFile(library_zip).namelist() if ".dist-info/" not in name}

    assert packed == wanted


def test_zip_carries_licence_notice_and_typing_marker(library_zip: Path) -> None:
    names = {Path(name).name for name in zipfile.ZipFile(library_zip).namelist()}

    assert {"LICENSE", "NOTICE", "py.typed", "METADATA"} <= names


def test_every_module_imports_from_the_zip_alone(library_zip: Path) -> None:
    code = """
import importlib, pkgutil, interest_graph
names = [m.name for m in pkgutil.walk_packages(interest_graph.__path__, "interest_graph.")]
files = {importlib.import_module(name).__file__ for name in names}
print(len(names), all(".zip/" in file for file in files))
"""
    n_modules = sum(path.name != "__main__.py" for path in LIBRARY.rglob("*.py")) - 1

    assert run_from_zip(library_zip, code).split() == [str(n_modules), "True"]


def test_version_is_known_from_the_zip(library_zip: Path) -> None:
    code = "from importlib.metadata import distribution as d\nprint(d('interest-graph')._path)"

    assert str(library_zip) in run_from_zip(library_zip, code)


def test_lib_is_a_folder_and_no_package() -> None:
    assert not (LIBRARY / "__init__.py").exists()


def committed() -> list[Path]:
    """Return the files that git knows."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, check=True)
    return [path for name in listed.stdout.decode().splitlines() if (path := ROOT / name).is_file()]


def test_no_data_and_no_binary_is_committed() -> None:
    files = [path for path in committed() if "tests" not in path.relative_to(ROOT).parts[:1]]

    assert [path for path in files if re.search(DATA, path.name)] == []
    assert [path for path in committed() if path.stat().st_size > 1_000_000] == []


def test_no_registry_host_and_no_path_of_a_machine_is_committed() -> None:
    found = []
    for path in committed():
        text = path.read_text(encoding="utf-8", errors="ignore")
        found += [(path.name, match[0]) for match in re.finditer(f"{HOSTS}|{HOMES}", text)]

    assert found == []


def test_every_make_target_is_in_the_help() -> None:
    targets = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert targets is not None

    shown = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True)

    listed = re.findall(r"^  make ([\w-]+) +\S", shown.stdout, re.MULTILINE)
    assert sorted(listed) == sorted(targets[1].split())


@pytest.mark.parametrize("path", sorted((ROOT / "jobs").glob("*.py")), ids=lambda path: path.stem)
def test_what_a_job_file_imports_is_there(path: Path) -> None:
    names = runpy.run_path(str(path), run_name="imported")

    assert {"launch", "run_all"} & set(names)
