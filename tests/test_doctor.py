"""The checks pass in this environment, and each mismatch is one line that says what to do."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
from packaging.requirements import Requirement
from pyspark.sql import SparkSession

from interest_graph import doctor
from interest_graph.errors import EnvironmentProblem


def test_quick_passes_here_and_starts_no_job(spark: SparkSession) -> None:
    doctor.quick(spark)  # the first call loads classes
    jobs = spark.sparkContext.statusTracker().getJobIdsForGroup()
    started = time.perf_counter()

    checks = doctor.quick(spark)

    assert time.perf_counter() - started < 0.5
    assert [check for check in checks if not check.ok] == []
    assert spark.sparkContext.statusTracker().getJobIdsForGroup() == jobs


def test_full_passes_here(spark: SparkSession) -> None:
    checks = {check.name: check for check in doctor.full(spark)}

    assert [check for check in checks.values() if not check.ok] == []
    assert {"Delta round trip", "GraphFrames call", "torch in a worker", "GPU"} <= checks.keys()


@pytest.mark.parametrize(
    ("need", "found"),
    [("pandas>=99", pd.__version__), ("no-such-package>=1", "not installed")],
)
def test_package_mismatch_says_what_to_install(need: str, found: str) -> None:
    check = doctor._package(Requirement(need), "no_such_module")

    assert (check.ok, check.found) == (False, found)
    assert f'pip install "{need}"' in check.advice


def test_module_without_package_record_counts_as_provided() -> None:
    check = doctor._package(Requirement("no-such-package>=1"), "json")

    assert (check.ok, check.found) == (True, "provided by the runtime")


def test_missing_jar_names_its_coordinates(spark: SparkSession) -> None:
    check = doctor._jvm_class(spark, "org.example.Missing", "org.example:missing:1.0")

    assert not check.ok
    assert "--packages org.example:missing:1.0" in check.advice
    assert "\n" not in check.advice


EXTENSIONS, CATALOG, SERIALIZER, CHECKPOINTS, REDACTION = doctor.FIXED


def checks_of(settings: dict[str, str]) -> list[doctor.Check]:
    """The checks of a session that somebody else started with these settings."""
    session: Any = SimpleNamespace(conf=settings)
    return doctor.fixed_settings(session)


def failing(settings: dict[str, str]) -> dict[str, str]:
    """What to do about the settings that are not as they should be, by name."""
    return {check.name: check.advice for check in checks_of(settings) if not check.ok}


def test_settings_that_only_a_start_can_make_are_one_line_each() -> None:
    advice = failing({})

    assert advice.keys() == doctor.FIXED.keys()
    assert advice[SERIALIZER] == (
        "spark.serializer is not set: put `spark.serializer "
        "org.apache.spark.serializer.KryoSerializer` into spark-defaults.conf, a properties file "
        "or the cluster's Spark settings, and start Spark anew"
    )
    assert [line for line in advice.values() if "\n" in line] == []
    assert failing(dict(doctor.FIXED)) == {}


def test_settings_that_serve_as_well_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    both = f"org.example.Other, {doctor.FIXED[EXTENSIONS]}"
    hides = doctor.FIXED[REDACTION] + "|email"
    assert failing({**doctor.FIXED, EXTENSIONS: both, REDACTION: hides}) == {}
    assert failing({**doctor.FIXED, REDACTION: "(?i)secret|password|token"}).keys() == {REDACTION}
    assert failing({**doctor.FIXED, REDACTION: "("}).keys() == {REDACTION}

    monkeypatch.setenv("DATABRICKS_RUNTIME_VERSION", "15.4")
    assert failing({}).keys() == {SERIALIZER, CHECKPOINTS, REDACTION}


def test_only_what_jobs_cannot_do_without_stops_them() -> None:
    checks = checks_of({})

    with pytest.raises(EnvironmentProblem) as caught:
        doctor.require(checks)

    assert str(caught.value).count("put `") == 2
    assert "io.delta.sql.DeltaSparkSessionExtension" in str(caught.value)
    doctor.require(check for check in checks if not check.is_required)


def test_unwritable_folder_is_one_line(spark: SparkSession, tmp_path: Path) -> None:
    blocker = tmp_path / "file"
    blocker.write_text("not a folder")

    check = doctor._delta_round_trip(spark, str(blocker))

    assert not check.ok
    assert "\n" not in check.advice


def test_wrong_answer_is_a_failed_check() -> None:
    check = doctor._attempted("sum", lambda: "3", "4", "learn to add")

    assert (check.ok, check.found, check.advice) == (False, "3", "learn to add")


def test_worker_that_lacks_torch_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "torch", None)
    batches: Iterator[pd.DataFrame] = iter([pd.DataFrame({"id": [0]})])

    (row,) = doctor._describe_worker(batches)

    assert "torch" in row.torch[0]
    assert not row.torch[0][:1].isdigit()
