"""Running jobs: recorded, skipped when nothing changed, errors kept to one line."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime

import pytest

from interest_graph import tables
from interest_graph.errors import ContractError, DataError, MissingTableError, one_line
from interest_graph.job import Job, Run
from interest_graph.session import temporarily

NOTE = "spark.databricks.delta.commitInfo.userMetadata"
USERS = "user_id STRING, attributes MAP<STRING, STRING>"


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
    assert (run.status, run.error, run.writes) == ("failed", r"no rows\nleft", {})


def test_every_run_has_its_own_id_counters_and_pinned_inputs(open_pipeline):
    pipeline = open_pipeline()
    pipeline.run(JOB)
    first = pipeline.last_run

    def again(run):
        run.count("users", run.read(tables.USERS).count())

    pipeline.run(Job("count_users", "counts users", again, reads=(tables.USERS,)))

    ids = [run.run_id for run in runs(pipeline)]
    assert ids == [first.run_id, pipeline.last_run.run_id]
    assert len(set(ids)) == 2
    assert [run.rows for run in runs(pipeline)] == [{"rows in": 1}, {"users": 1}]


def test_an_input_that_is_written_while_a_job_runs_is_not_there(open_pipeline):
    seen = {}

    def look(run):
        copy_users(run)
        seen["optional"] = run.read_if_written(tables.USERS)
        run.read(tables.ITEMS)

    job = Job("looks", "looks", look, reads=(tables.ITEMS,), optional=(tables.USERS,))
    with pytest.raises(MissingTableError, match=r"silver\.items"):
        open_pipeline().run(job)

    assert seen == {"optional": None}


def notes(pipeline, table):
    history = pipeline.store._delta(table).history().select("version", "userMetadata").collect()
    return [row.userMetadata for row in sorted(history, key=lambda row: row.version)]


@pytest.mark.parametrize("own_note", [None, "by hand"])
def test_commits_of_the_sessions_user_carry_the_users_note_and_ours_the_runs(
    open_pipeline, spark, own_note
):
    def fail(run):
        run.store.append(tables.USERS, run.spark.createDataFrame([], "user_id INT"))

    pipeline = open_pipeline()
    with temporarily(spark, {NOTE: own_note} if own_note else {}):
        pipeline.run(JOB)
        pipeline.store.append(tables.USERS, spark.createDataFrame([("v", {})], USERS))
        with pytest.raises(ContractError):
            pipeline.run(Job("fails", "fails", fail, writes=(tables.USERS,)))
        twice = spark.createDataFrame([("v", {"a": "1"}), ("v", {"a": "2"})], USERS)
        with pytest.raises(DataError):
            pipeline.last_run.store.merge(tables.USERS, twice)
        pipeline.store.delete(tables.USERS, "user_id = 'v'")
        assert spark.conf.get(NOTE, None) == own_note

    of_run = json.dumps({"run_id": runs(pipeline)[0].run_id})
    assert notes(pipeline, tables.USERS) == [of_run, of_run, own_note, own_note]


def test_while_a_job_runs_the_session_has_the_settings_that_results_depend_on(open_pipeline, spark):
    zone, policy = "spark.sql.session.timeZone", "spark.sql.legacy.timeParserPolicy"
    seen = {}

    def look(run):
        seen.update({key: run.spark.conf.get(key) for key in (zone, policy)})

    with temporarily(spark, {zone: "America/New_York", policy: "LEGACY"}):
        open_pipeline().run(Job("looks", "looks", look))
        assert [spark.conf.get(key) for key in (zone, policy)] == ["America/New_York", "LEGACY"]

    assert seen == {zone: "UTC", policy: "CORRECTED"}


def test_a_job_whose_tables_were_dropped_and_made_anew_runs_again(open_pipeline):
    pipeline = open_pipeline()
    pipeline.run(JOB)
    shutil.rmtree(pipeline.store.location(tables.USERS))
    copy_users(Run(JOB, pipeline.settings, pipeline.spark, pipeline.as_of))

    assert open_pipeline().run(JOB)


def test_one_line_keeps_the_cause_and_drops_the_stack():
    text = "An error occurred\n\tat java.lang.Thread\nCaused by: java.io.EOFException: cut\n\tat x"

    assert one_line(RuntimeError(text)) == "RuntimeError: Caused by: java.io.EOFException: cut"


TRACEBACK = """Traceback (most recent call last):
  File "/w/worker.py", line 1247, in main
    process()
ValueError: first

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "/w/worker.py", line 1239, in process
    raise PySparkTypeError("no text")
pyspark.errors.exceptions.base.PySparkTypeError: [X] no text"""


@pytest.mark.parametrize(
    "text",
    [
        f"\n  An exception was thrown from the Python worker. See below.\n{TRACEBACK}\n",
        "An error occurred while calling o1.save.\n: org.apache.spark.SparkException: aborted\n"
        f"Caused by: org.apache.spark.api.python.PythonException: {TRACEBACK}\n\n"
        "\tat org.apache.spark.Task.run(Task.scala:1)\nCaused by: java.io.EOFException\n",
    ],
)
def test_one_line_names_the_error_of_a_worker(text):
    told = "pyspark.errors.exceptions.base.PySparkTypeError: [X] no text"

    assert one_line(RuntimeError(text)) == f"RuntimeError: {told}"
