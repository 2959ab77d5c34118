"""Databricks runtimes meet the wheel's requirements: pip leaves their packages as they are."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from interest_graph import doctor

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
RUNTIMES: dict[str, dict[str, Any]] = yaml.safe_load(
    (ROOT / "tests" / "databricks_runtimes.yaml").read_text(encoding="utf-8")
)
# What pip does replace: the settings are pydantic 2 models, and 15.4 LTS still has 1.10; its ML
# variant has a Typer without Literal, and an encoder that cannot be told to take no pickles.
REPLACED = {
    "15.4 LTS": {"pydantic"},
    "15.4 LTS ML": {"pydantic", "sentence-transformers", "typer"},
    "16.4 LTS": set(),
}


def needs(lines: list[str]) -> dict[str, SpecifierSet]:
    return {need.name.lower(): need.specifier for need in map(Requirement, lines)}


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_the_runtime_keeps_its_packages(runtime: str) -> None:
    brought, asked = RUNTIMES[runtime]["packages"], needs(PROJECT["dependencies"])
    shared = brought.keys() & asked.keys()

    assert {"numpy", "pyarrow", "scipy", "pyyaml", "packaging", "psutil"} <= shared
    unmet = {name for name in shared if not asked[name].contains(brought[name])}
    assert unmet == REPLACED[runtime]


def test_the_bundles_runtime_has_our_python() -> None:
    bundle = yaml.safe_load((ROOT / "databricks.yml").read_text(encoding="utf-8"))
    version = bundle["variables"]["spark_version"]["default"].split(".x")[0]
    python = RUNTIMES[f"{version} LTS"]["python"]

    assert SpecifierSet(PROJECT["requires-python"]).contains(python)


def test_the_doctor_asks_for_what_the_wheel_asks_for() -> None:
    wheel, checked = needs(PROJECT["dependencies"]), needs(list(doctor._PACKAGES))

    # Spark and Delta come from the place where it runs, never with the wheel.
    assert checked.keys() - wheel.keys() == {"delta-spark"}
    assert {name: checked[name] for name in checked.keys() & wheel.keys()} == {
        name: wheel[name] for name in checked.keys() & wheel.keys()
    }
    pinned = needs(PROJECT["optional-dependencies"]["spark"])["delta-spark"]
    assert checked["delta-spark"].contains(str(pinned).removeprefix("=="))
