"""The notebooks' cells run from top to bottom in a plain session, in order, on one folder."""

from __future__ import annotations

from pathlib import Path

import pytest

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.py"))
FIRST_LINE = "# Databricks notebook source"
CELL_END = "# COMMAND ----------"


class Widgets:
    """Stands in for dbutils.widgets: `given` wins over a notebook's default."""

    def __init__(self, **given):
        self.given = given

    def text(self, name, default):
        self.given.setdefault(name, default)

    def get(self, name):
        return self.given[name]


class Dbutils:
    """Stands in for the dbutils of a Databricks notebook."""

    def __init__(self, **given):
        self.widgets = Widgets(**given)


class Display:
    """Stands in for display: computes a frame and keeps its rows."""

    def __init__(self):
        self.shown = []

    def __call__(self, frame):
        self.shown.append(frame.limit(100).collect())


def cells_of(path):
    """The Python cells of a notebook as code that names its place in the file."""
    place = 1
    for cell in path.read_text().split(CELL_END):
        lines = cell.splitlines()
        is_code = any(line.strip() and not line.startswith("# ") for line in lines)
        if is_code:
            yield compile("\n" * (place - 1) + cell, str(path), "exec")
        place += cell.count("\n")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("walk")


def test_there_is_a_notebook_for_every_stage():
    text = " ".join(path.read_text() for path in NOTEBOOKS)

    from interest_graph.registry import stages

    assert [job.name for job in stages() if f'pipeline.run("{job.name}")' not in text] == []


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_is_in_source_format(path):
    lines = path.read_text().splitlines()

    assert lines[0] == FIRST_LINE
    assert lines[1] == "# MAGIC %md"
    assert FIRST_LINE not in lines[1:]


# A notebook goes on where the one before ended: they run in the order of their names.
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_its_cells_run_from_top_to_bottom(spark, folder, path):
    display = Display()
    names = {"spark": spark, "dbutils": Dbutils(folder=str(folder)), "display": display}

    for cell in cells_of(path):
        exec(cell, names)

    assert display.shown
    assert all(display.shown)  # every displayed frame has rows
