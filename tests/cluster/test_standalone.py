"""A standalone master and two workers on loopback run submitted work, and leave nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from interest_graph.errors import EnvironmentProblem
from interest_graph.session import read_properties
from interest_graph.setup import daemons
from interest_graph.setup.cluster import Cluster, start_cluster, stop_cluster

pytestmark = [pytest.mark.cluster, pytest.mark.slow]

ROOT = Path(__file__).parents[2]
SUBMIT = Path(sys.executable).with_name("spark-submit")
JOB = """
import interest_graph
import pandas as pd
from interest_graph.session import open_session

def total(group: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame({"origin": [interest_graph.__file__], "total": [group.id.sum()]})

spark = open_session("standalone test")
numbers = spark.range(100).repartition(4)
rows = numbers.groupBy((numbers.id % 4).alias("k")).applyInPandas(
    total, "origin STRING, total LONG").collect()
assert spark.sparkContext.master.startswith("spark://")
print("from the zip", all("interest_graph.zip" in row.origin for row in rows))
print("totals", sorted(row.total for row in rows))
spark.stop()
"""


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Cluster, Path]]:
    """A cluster of two workers, and its state folder."""
    state = tmp_path_factory.mktemp("cluster")
    settings = ROOT / "conf" / "spark" / "standalone.conf"
    yield start_cluster(state, n_workers=2, settings=settings), state
    stop_cluster(state)


def processes_of(state: Path) -> list[psutil.Process]:
    """Return the daemons in the ledger, and all that they started."""
    family = [
        process for daemon in daemons.recorded(state) for process in daemons.family(daemon.pid)
    ]
    return [process for process in family if process.status() != psutil.STATUS_ZOMBIE]


def start_submit(properties: Path, *arguments: str | Path) -> subprocess.Popen[str]:
    """Start spark-submit on options and a script, with this Python in driver and workers."""
    command = [str(SUBMIT), "--properties-file", str(properties), *map(str, arguments)]
    environment = {**os.environ, "PYSPARK_PYTHON": sys.executable, "SPARK_LOCAL_IP": "127.0.0.1"}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    return subprocess.Popen(command, env=environment, start_new_session=True, **pipes)


def test_submitted_job_runs_in_workers(
    running: tuple[Cluster, Path], tmp_path: Path, library_zip: Path
) -> None:
    script = tmp_path / "job.py"
    script.write_text(JOB)
    arguments = ["--py-files", library_zip, script]

    submitted = start_submit(running[0].properties, *arguments)
    output, _ = submitted.communicate(timeout=540)

    assert submitted.returncode == 0, output[-2000:]
    assert "from the zip True" in output
    assert "totals [1200, 1225, 1250, 1275]" in output


def test_client_without_the_secret_is_refused(
    running: tuple[Cluster, Path], tmp_path: Path
) -> None:
    script, properties = tmp_path / "job.py", tmp_path / "spark.conf"
    script.write_text("from pyspark.sql import SparkSession\nSparkSession.builder.getOrCreate()\n")
    properties.write_text(f"spark.master {running[0].master_url}\nspark.ui.enabled false\n")
    log = running[1] / "master.log"
    n_accepted = log.read_text().count("Registering app")

    client = start_submit(properties, script)
    deadline = time.monotonic() + 120
    while "Expected SaslMessage" not in log.read_text() and time.monotonic() < deadline:
        time.sleep(0.2)
    os.killpg(client.pid, signal.SIGKILL)  # it would go on trying for a minute
    client.communicate()

    assert "Expected SaslMessage" in log.read_text()
    assert log.read_text().count("Registering app") == n_accepted


def test_daemons_listen_on_loopback_only(running: tuple[Cluster, Path]) -> None:
    sockets = [c for p in processes_of(running[1]) for c in p.net_connections(kind="inet")]
    addresses = {c.laddr.ip for c in sockets if c.status == psutil.CONN_LISTEN}

    assert addresses <= {"127.0.0.1", "::ffff:127.0.0.1", "::1"}
    assert addresses


def test_secret_is_in_no_command_line_and_no_log(running: tuple[Cluster, Path]) -> None:
    properties, state = running[0].properties, running[1]
    secret = read_properties(properties)["spark.authenticate.secret"]

    assert properties.stat().st_mode & 0o077 == 0
    assert not [p for p in processes_of(state) if secret in " ".join(p.cmdline())]
    assert not [log for log in state.rglob("*.log") if secret in log.read_text()]


def test_second_start_in_the_same_folder_is_refused(running: tuple[Cluster, Path]) -> None:
    with pytest.raises(EnvironmentProblem, match="running there already"):
        start_cluster(running[1])


def test_stop_leaves_no_process_and_no_secret(tmp_path: Path) -> None:
    started = start_cluster(tmp_path, n_workers=1)
    family = processes_of(tmp_path)

    assert stop_cluster(tmp_path) == 2

    assert [process for process in family if process.is_running()] == []
    assert not started.properties.exists()
    assert (tmp_path / "master.log").stat().st_size > 0
    assert stop_cluster(tmp_path) == 0


def test_daemon_that_cannot_start_is_one_line_and_nothing_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "nowhere"))

    with pytest.raises(EnvironmentProblem, match=r"master did not start; see .*master\.log"):
        start_cluster(tmp_path)

    assert not (tmp_path / "daemons.json").exists()
