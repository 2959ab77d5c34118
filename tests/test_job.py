"""Running steps: recorded, skipped when nothing changed, errors kept to one line."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from interest_graph import tables
from interest_graph.errors import DataError
from interest_graph.job import Step, one_line, run_step


def copy_users(job):
    job.count("rows in", 1)
    job.store.replace(tables.USERS, job.spark.createDataFrame([("u", {})], tables.USERS.schema))


STEP = Step("copy_users", copy_users, writes=(tables.USERS,), settings=("clean",))


def runs(job):
    return job.store.read(tables.RUNS).orderBy("started_ts").collect()


def test_a_run_is_recorded_with_rows_versions_and_memory(open_job):
    job = open_job()

    assert run_step(job, STEP)

    (run,) = runs(job)
    assert (run.job, run.status, run.rows) == ("copy_users", "succeeded", {"rows in": 1})
    assert run.writes == {"silver.users": job.store.version(tables.USERS)}
    assert run.peak_memory_mb > 100


def test_a_step_runs_again_only_when_something_that_shapes_its_result_changed(open_job):
    assert run_step(open_job(), STEP)
    assert not run_step(open_job(), STEP)
    assert not run_step(open_job(graph={"min_weight": 9}), STEP)
    assert run_step(open_job(clean={"session_gap_minutes": 9}), STEP)
    assert run_step(open_job(clean={"session_gap_minutes": 9}), STEP, force=True)
    assert run_step(open_job(as_of=datetime(2025, 1, 1, tzinfo=UTC)), STEP)


def test_a_step_runs_again_when_its_table_was_changed_behind_its_back(open_job):
    job = open_job()
    run_step(job, STEP)
    job.store.delete(tables.USERS, "user_id = 'u'")

    assert run_step(open_job(), STEP)


def test_a_failed_run_is_recorded_and_raised(open_job):
    def fail(_job):
        raise DataError("no rows\nleft")

    job = open_job()
    with pytest.raises(DataError):
        run_step(job, Step("fails", fail))

    (run,) = runs(job)
    assert (run.status, run.error, run.writes) == ("failed", "no rows left", {})


def test_one_line_keeps_the_cause_and_drops_the_stack():
    text = "An error occurred\n\tat java.lang.Thread\nCaused by: java.io.EOFException: cut\n\tat x"

    assert one_line(RuntimeError(text)) == "RuntimeError: Caused by: java.io.EOFException: cut"
