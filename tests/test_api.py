"""What `import interest_graph` offers."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import interest_graph

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("name", interest_graph.__all__)
def test_every_public_name_can_be_imported(name):
    assert getattr(interest_graph, name) is not None


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = interest_graph.nonsense


@pytest.mark.parametrize(
    ("old", "new"), [("Step", "Job"), ("run_step", "Pipeline.run"), ("load_step", "find_job")]
)
def test_a_name_of_an_earlier_version_is_refused_with_the_new_one(old, new):
    with pytest.raises(AttributeError, match=f"interest_graph.{old} is gone: use .*{new}"):
        getattr(interest_graph, old)


def test_the_import_alone_loads_neither_spark_nor_torch():
    code = "import sys, interest_graph; print({'pyspark', 'torch', 'pandas'} & set(sys.modules))"

    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )

    assert loaded.stdout.strip() == "set()"


def test_the_version_is_that_of_the_project():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

    assert interest_graph.__version__ == project["version"]
