"""The session's settings."""

from __future__ import annotations

import pytest

from interest_graph.session import _collector, interpreting

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


@pytest.mark.parametrize("variable", ["JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS"])
def test_a_collector_that_java_was_told_of_is_left_alone(monkeypatch, variable):
    monkeypatch.delenv("JAVA_TOOL_OPTIONS", raising=False)
    monkeypatch.delenv("JDK_JAVA_OPTIONS", raising=False)
    assert _collector() == "-XX:+UseParallelGC"

    monkeypatch.setenv(variable, "-Xss4m -XX:+UseG1GC")

    assert _collector() == ""
