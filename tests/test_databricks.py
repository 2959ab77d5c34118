"""The bundle is what the registry says, and refers only to files and names that exist."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import typer.main
import yaml

from interest_graph.cli import app
from interest_graph.config import load_settings
from interest_graph.registry import stages

ROOT = Path(__file__).parents[1]
BUNDLE = yaml.safe_load((ROOT / "databricks.yml").read_text(encoding="utf-8"))
RESOURCES = sorted(path for pattern in BUNDLE["include"] for path in ROOT.glob(pattern))
JOBS = [
    (path, job)
    for path in RESOURCES
    for job in yaml.safe_load(path.read_text(encoding="utf-8"))["resources"]["jobs"].values()
]
each_job = pytest.mark.parametrize(("path", "job"), JOBS, ids=lambda value: str(value)[:40])


def test_bundle_has_jobs() -> None:
    assert JOBS


@pytest.mark.parametrize("path", [ROOT / "databricks.yml", *RESOURCES], ids=lambda path: path.name)
def test_every_variable_is_declared(path: Path) -> None:
    used = set(re.findall(r"\$\{var\.(\w+)\}", path.read_text(encoding="utf-8")))

    assert used <= BUNDLE["variables"].keys()


def test_every_variable_is_used() -> None:
    texts = "".join(path.read_text(encoding="utf-8") for path in RESOURCES)

    assert [name for name in BUNDLE["variables"] if f"${{var.{name}}}" not in texts] == []


@each_job
def test_tasks_are_the_stages_and_wait_for_what_their_jobs_run_after(
    path: Path, job: dict[str, Any]
) -> None:
    keys = [task["task_key"] for task in job["tasks"]]
    waits_for = [[on["task_key"] for on in task.get("depends_on", [])] for task in job["tasks"]]

    assert keys == [job.name for job in stages()]
    assert waits_for == [list(job.after) for job in stages()]


@each_job
def test_every_task_runs_the_stage_it_is_named_after(path: Path, job: dict[str, Any]) -> None:
    for task in job["tasks"]:
        file = (path.parent / task["spark_python_task"]["python_file"]).resolve()
        assert file == ROOT / "jobs" / f"{task['task_key']}.py"
        assert file.is_file()


@each_job
def test_every_task_has_the_wheel_that_the_artifact_builds(path: Path, job: dict[str, Any]) -> None:
    wheels = {library["whl"] for task in job["tasks"] for library in task["libraries"][:1]}

    assert {(path.parent / wheel).resolve() for wheel in wheels} == {ROOT / "dist" / "*.whl"}
    assert BUNDLE["artifacts"]["interest_graph"]["build"] == "make package"


@each_job
def test_every_cluster_and_parameter_in_use_is_declared(path: Path, job: dict[str, Any]) -> None:
    parameters = {parameter["name"] for parameter in job["parameters"]}
    clusters = {cluster["job_cluster_key"] for cluster in job["job_clusters"]}
    text = path.read_text(encoding="utf-8")

    assert set(re.findall(r"\{\{job\.parameters\.(\w+)\}\}", text)) == parameters
    assert {task["job_cluster_key"] for task in job["tasks"]} == clusters


@each_job
def test_every_task_is_started_alike_with_options_of_its_job(
    path: Path, job: dict[str, Any]
) -> None:
    given = [task["spark_python_task"]["parameters"] for task in job["tasks"]]
    command = typer.main.get_command(app).commands["run-all"]  # type: ignore[attr-defined]
    known = {option for parameter in command.params for option in parameter.opts}

    assert all(parameters == given[0] for parameters in given)
    assert {value for value in given[0] if value.startswith("-")} <= known


@each_job
def test_overrides_are_settings_of_the_pipeline(
    path: Path, job: dict[str, Any], tmp_path: Path
) -> None:
    given = job["tasks"][0]["spark_python_task"]["parameters"]
    overrides = [value for key, value in pairwise(given) if key == "--set"]
    filled = [re.sub(r"\{\{job\.parameters\.(\w+)\}\}", r"\1", value) for value in overrides]
    config = tmp_path / "empty.yaml"
    config.write_text("{}\n")

    warehouse = load_settings(config, filled).warehouse

    assert (warehouse.catalog, warehouse.table_root) == (
        "catalog",
        "/Volumes/catalog/schema/volume/warehouse",
    )
