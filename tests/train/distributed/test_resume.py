"""A killed worker, a failed task and a killed driver change nothing in the result."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from tests.train.small_run import SETTINGS, fit_small

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def undisturbed(spark, tmp_path_factory):
    return fit_small(spark, str(tmp_path_factory.mktemp("undisturbed") / "run"))


def start(work_dir, exchange):
    command = [sys.executable, "-m", "tests.train.killable_run", str(work_dir), exchange]
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    environment = {**os.environ, "PYTHONPATH": path, "PYSPARK_PYTHON": sys.executable}
    return subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


def last_round(work_dir):
    progress = work_dir / "progress.json"
    return json.loads(progress.read_text())["last"] if progress.exists() else -1


def kill_after_round(work_dir, exchange, number):
    process = start(work_dir, exchange)
    deadline = time.monotonic() + 240
    while last_round(work_dir) < number:
        assert process.poll() is None, "the run ended before it could be killed"
        assert time.monotonic() < deadline, f"round {number} did not come"
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()


@pytest.mark.parametrize(("exchange", "then"), [("rounds", "resident"), ("resident", "rounds")])
def test_a_killed_worker_a_failed_task_and_a_killed_driver_change_nothing(
    spark, undisturbed, tmp_path, exchange, then
):
    """What one way of exchange began, the other ends."""
    work_dir = tmp_path / "run"
    kill_after_round(work_dir, exchange, 3)
    reached = last_round(work_dir)

    resumed = fit_small(spark, str(work_dir), exchange=then)

    for note in ("killed", "raised"):
        assert (tmp_path / f"run.{note}").read_text() == "round 2"
    assert 3 <= reached < SETTINGS["max_rounds"]
    for name, expected in undisturbed.items():
        np.testing.assert_allclose(resumed[name], expected, atol=1e-6)
