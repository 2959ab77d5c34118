"""The session's settings."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pyarrow as pa
import pytest
from pyspark.errors import AnalysisException
from tests import foreign_session

from interest_graph.events.kernel_frames import warm_up
from interest_graph.session import (
    _collector,
    _java_options,
    _overrides,
    _workers_find_package,
    interpreting,
    temporarily,
)

COMPILED = {"spark.sql.codegen.wholeStage": "true", "spark.sql.codegen.factoryMode": "FALLBACK"}


@pytest.fixture
def compiled(spark):
    """The session, compiling its plans as jobs do."""
    before = {key: spark.conf.get(key) for key in COMPILED}
    for key, value in COMPILED.items():
        spark.conf.set(key, value)
    yield spark
    for key, value in before.items():
        spark.conf.set(key, value)


def plan_of(spark):
    frame = spark.range(10).selectExpr("id + 1 AS n").where("n > 3")
    return frame._jdf.queryExecution().executedPlan().toString()


def test_plans_of_small_work_alone_are_interpreted(compiled):
    with interpreting(compiled):
        assert "*(" not in plan_of(compiled)
    with interpreting(compiled, small=False):
        assert "*(" in plan_of(compiled)


def test_plans_are_compiled_again_after_an_error(compiled):
    with pytest.raises(ZeroDivisionError), interpreting(compiled):
        raise ZeroDivisionError

    assert "*(" in plan_of(compiled)


@pytest.mark.parametrize("own", [None, "1", "2"])
def test_overlapping_blocks_leave_the_sessions_own_setting(spark, own):
    key = "spark.tests.setting"
    with temporarily(spark, {key: own} if own else {}):
        first, second = temporarily(spark, {key: "1"}), temporarily(spark, {key: "2"})
        first.__enter__()
        second.__enter__()
        first.__exit__(None, None, None)
        assert spark.conf.get(key) == "2"
        second.__exit__(None, None, None)
        assert spark.conf.get(key, None) == own

    assert spark.conf.get(key, None) is None


def test_a_setting_that_spark_refuses_leaves_the_others_as_they_were(spark):
    key, fixed = "spark.tests.setting", "spark.sql.warehouse.dir"

    with pytest.raises(AnalysisException), temporarily(spark, {key: "1", fixed: "x"}):
        pytest.fail("the block began")

    assert spark.conf.get(key, None) is None
    with temporarily(spark, {key: "2"}):
        assert spark.conf.get(key) == "2"
    assert _overrides == {}


@pytest.mark.parametrize("variable", ["JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS"])
def test_a_collector_that_java_was_told_of_is_left_alone(monkeypatch, variable):
    monkeypatch.delenv("JAVA_TOOL_OPTIONS", raising=False)
    monkeypatch.delenv("JDK_JAVA_OPTIONS", raising=False)
    assert _collector() == "-XX:+UseParallelGC"

    monkeypatch.setenv(variable, "-Xss4m -XX:+UseG1GC")

    assert _collector() == ""


def test_java_compiles_only_quickly_where_kernels_do_the_work():
    assert "-XX:TieredStopAtLevel=1" in _java_options(is_light=True)
    assert "-XX:TieredStopAtLevel=1" not in _java_options(is_light=False)


def test_workers_that_lack_the_package_are_forked_by_sparks_own_daemon(monkeypatch, tmp_path):
    monkeypatch.setenv("PYSPARK_PYTHON", sys.executable)
    assert _workers_find_package()

    bare = tmp_path / "python"
    bare.write_text(f'#!/bin/sh\nexec {sys.executable} -I -S "$@"\n')
    bare.chmod(0o755)
    monkeypatch.setenv("PYSPARK_PYTHON", str(bare))

    assert not _workers_find_package()


def test_workers_hold_the_kernels_once_they_are_warm(spark):
    def loaded(batches):
        for batch in batches:
            is_there = ["interest_graph.events.ingest_task" in sys.modules] * batch.num_rows
            yield pa.RecordBatch.from_arrays([pa.array(is_there)], names=["is_there"])

    warm_up(spark).join(timeout=300)

    rows = spark.range(0, 2, 1, 2).mapInArrow(loaded, "is_there BOOLEAN").collect()
    assert [row.is_there for row in rows] == [True, True]


def test_importing_the_kernels_brings_what_was_not_there():
    """In a process of its own: the workers of this session have them from their daemon."""
    program = """
import sys
from interest_graph.events.kernel_frames import import_kernels
names = ("interest_graph.events.ingest_task", "interest_graph.events.readers.json_records")
assert not any(name in sys.modules for name in names)
import_kernels()
assert all(name in sys.modules for name in names)
"""
    subprocess.run([sys.executable, "-c", program], check=True)


OWN = {
    "spark.sql.session.timeZone": "America/New_York",
    "spark.sql.legacy.timeParserPolicy": "LEGACY",
    "spark.sql.execution.arrow.pyspark.enabled": "false",
    "spark.sql.parquet.outputTimestampType": "INT96",
    "spark.sql.ansi.enabled": "true",
}
SET_WHERE_ABSENT = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.legacy.timeParserPolicy": "CORRECTED",
    "spark.sql.execution.arrow.pyspark.enabled": "true",
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
    "spark.sql.ansi.enabled": "false",
}


@pytest.fixture(scope="module")
def facts(spark, tmp_path_factory):
    """What ingest and clean make of the log in a session of ours."""
    found = foreign_session.facts_of(foreign_session.write_log(tmp_path_factory.mktemp("own")))
    assert len(found["facts"]) >= 3
    assert len(found["refused"]) >= 1
    return found


# The session's zone, where nobody set it, is the JVM's, which is the machine's.
@pytest.mark.slow
@pytest.mark.parametrize("settings", [{}, OWN], ids=["Spark's defaults", "settings of its own"])
def test_a_session_that_was_there_before_gives_the_same_facts(facts, tmp_path, settings):
    script = [sys.executable, foreign_session.__file__, tmp_path, json.dumps(settings)]
    environment = os.environ | {"TZ": "America/New_York"}

    done = subprocess.run(script, env=environment, capture_output=True, text=True, timeout=300)

    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert found.pop("settings") == (settings or SET_WHERE_ABSENT)
    assert found == facts
