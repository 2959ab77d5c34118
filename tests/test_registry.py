"""The registry: every job declared once, in an order that its dependencies allow."""

from __future__ import annotations

from pathlib import Path

import pytest

from interest_graph import tables
from interest_graph.config import Settings
from interest_graph.errors import ConfigError
from interest_graph.job import Job
from interest_graph.registry import all_jobs, find_job, in_order, stages

ROOT = Path(__file__).parents[1]


def job(name: str, *after: str) -> Job:
    return Job(name, "does something", lambda _run: None, after=after)


def test_the_stages_come_in_the_order_of_the_flow():
    names = [job.name for job in stages()]

    flow = ["ingest", "clean", "featurize", "build_graph", "train", "recommend", "evaluate"]
    assert names == [*flow, "report"]


@pytest.mark.parametrize("declared", all_jobs(), ids=lambda job: job.name)
def test_a_job_declares_tables_that_exist_settings_that_are_sections_and_one_line(declared):
    named = {table.name for table in (*declared.reads, *declared.optional, *declared.writes)}

    assert named <= set(tables.ALL_TABLES)
    assert set(declared.settings) <= set(Settings.model_fields)
    assert declared.help
    assert "\n" not in declared.help


def test_every_table_is_written_by_the_one_job_that_it_names():
    writers = {table.name: table.writer for table in tables.ALL_TABLES.values()}
    declared = [(table.name, job.name) for job in all_jobs() for table in job.writes]

    assert len(declared) == len(dict(declared))
    assert writers.pop("ops.runs") == "every job"
    assert dict(declared) == writers


def test_a_stage_runs_after_the_writers_of_what_it_must_read():
    names = [job.name for job in stages()]
    for place, stage in enumerate(stages()):
        assert {table.writer for table in stage.reads} <= set(names[:place])


def test_every_job_has_a_file_for_spark_submit():
    files = {path.stem for path in (ROOT / "jobs").glob("*.py")}

    assert files == {job.name for job in all_jobs()} | {"run_all"}


def test_a_job_is_found_by_its_name_on_the_command_line_too():
    assert find_job("build-graph") is find_job("build_graph")
    with pytest.raises(ConfigError, match=r"nothing: unknown job; allowed: .*clean.*train"):
        find_job("nothing")


def test_a_job_is_found_by_module_and_attribute():
    assert find_job("interest_graph.jobs.train:JOB") is find_job("train")


def test_jobs_are_ordered_by_what_they_run_after():
    ordered = in_order([job("c", "a", "b"), job("a"), job("b", "a")])

    assert [each.name for each in ordered] == ["a", "b", "c"]
    with pytest.raises(ValueError, match="unknown ones: nobody"):
        in_order([job("a", "nobody")])
