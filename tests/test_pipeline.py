"""Running jobs: recorded, skipped when nothing changed, errors kept to one line."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from interest_graph import tables
from interest_graph.errors import DataError, one_line
from interest_graph.job import Job


def copy_users(run):
    run.count("rows in", 1)
    run.store.replace(tables.USERS, run.spark.createDataFrame([("u", {})], tables.USERS.schema))


JOB = Job("copy_users", "copies users", copy_users, writes=(tables.USERS,), settings=("clean",))


def runs(pipeline):
    return pipeline.store.read(tables.RUNS).orderBy("started_ts").collect()


def test_a_run_is_recorded_with_rows_versions_and_memory(open_pipeline):
    pipeline = open_pipeline()

    assert pipeline.run(JOB)

    (run,) = runs(pipeline)
    assert (run.job, run.status, run.rows) == ("copy_users", "succeeded", {"rows in": 1})
    assert run.writes == {"silver.users": pipeline.store.version(tables.USERS)}
    assert run.peak_memory_mb > 100


def test_a_job_runs_again_only_when_something_that_shapes_its_result_changed(open_pipeline):
    assert open_pipeline().run(JOB)
    assert not open_pipeline().run(JOB)
    assert not open_pipeline(graph={"min_weight": 9}).run(JOB)
    assert open_pipeline(clean={"session_gap_minutes": 9}).run(JOB)
    assert open_pipeline(clean={"session_gap_minutes": 9}).run(JOB, force=True)
    assert open_pipeline(as_of=datetime(2025, 1, 1, tzinfo=UTC)).run(JOB)


def test_a_job_runs_again_when_its_table_was_changed_behind_its_back(open_pipeline):
    pipeline = open_pipeline()
    pipeline.run(JOB)
    pipeline.store.delete(tables.USERS, "user_id = 'u'")

    assert open_pipeline().run(JOB)


def test_a_failed_run_is_recorded_and_raised(open_pipeline):
    def fail(_run):
        raise DataError("no rows\nleft")

    pipeline = open_pipeline()
    with pytest.raises(DataError):
        pipeline.run(Job("fails", "fails", fail))

    (run,) = runs(pipeline)
    assert (run.status, run.error, run.writes) == ("failed", "no rows left", {})


def test_one_line_keeps_the_cause_and_drops_the_stack():
    text = "An error occurred\n\tat java.lang.Thread\nCaused by: java.io.EOFException: cut\n\tat x"

    assert one_line(RuntimeError(text)) == "RuntimeError: Caused by: java.io.EOFException: cut"
