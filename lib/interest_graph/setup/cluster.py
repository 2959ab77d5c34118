"""Start and stop a Spark standalone cluster on loopback, from the pip-installed pyspark.

pyspark has no start-master.sh, but its spark-class starts the same daemons. All files of a cluster
are in one state folder: logs, work folders, process ids, and `spark.conf`, the properties file for
spark-submit, with the master's address and the cluster's secret.
"""

from __future__ import annotations

import http.client
import json
import os
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from interest_graph.errors import EnvironmentProblem
from interest_graph.setup import daemons

_HOST = "127.0.0.1"
_START_SECONDS = 90.0
_DAEMON_MEMORY = "256m"
_PACKAGE = "org.apache.spark.deploy"
# Used without a properties file: authenticated and encrypted traffic, no UI.
_CLOSED = """
spark.authenticate true
spark.network.crypto.enabled true
spark.io.encryption.enabled true
spark.ui.enabled false
"""


@dataclass(frozen=True)
class Cluster:
    """A running cluster: the master's URL, and the properties file for spark-submit."""

    master_url: str
    properties: Path
    n_workers: int


def start_cluster(
    state: Path,
    *,
    n_workers: int = 2,
    cores: int = 1,
    memory_mb: int = 1024,
    settings: Path | None = None,
) -> Cluster:
    """Start a master and its workers, and wait until all workers are registered.

    state: the state folder, used by this cluster alone. cores, memory_mb: of each worker.
    settings: a properties file, such as conf/spark/standalone.conf, that spark.conf is made from.
    Without one, traffic is authenticated and encrypted, and the UI is off. Raises
    EnvironmentProblem when a cluster of this folder is running or a daemon does not start.
    """
    state = state.absolute()  # executors run in folders of their own
    if daemons.running(state):
        raise EnvironmentProblem(f"{state}: a cluster is running there already; stop it first")
    _empty(state)
    port, ui_port = _free_ports(2)
    master_url = f"spark://{_HOST}:{port}"
    properties = _write_properties(state, master_url, settings)
    try:
        _launch(state, "master", ["--port", str(port), "--webui-port", str(ui_port)])
        _wait(state, ui_port, n_workers=0)
        for number in range(1, n_workers + 1):
            offer = ["--cores", str(cores), "--memory", f"{memory_mb}m", "--webui-port", "0"]
            _launch(state, f"worker-{number}", [*offer, master_url])
        _wait(state, ui_port, n_workers=n_workers)
    except BaseException:
        stop_cluster(state)
        raise
    return Cluster(master_url, properties, n_workers)


def stop_cluster(state: Path) -> int:
    """Stop the daemons of the state folder and their child processes; return how many daemons ran.

    Keeps the logs and deletes spark.conf with the secret.
    """
    running = daemons.running(state)
    daemons.end([process for daemon in running for process in daemons.family(daemon.pid)])
    for path in (daemons.ledger(state), state / "spark.conf"):
        path.unlink(missing_ok=True)
    return len(running)


def _launch(state: Path, name: str, arguments: Sequence[str]) -> None:
    """Start a daemon in a process session of its own, so that Ctrl-C here does not end it."""
    kind = "master.Master" if name == "master" else "worker.Worker"
    home = _spark_home()
    options = ["--host", _HOST, "--properties-file", str(state / "spark.conf")]
    with (state / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(
            [str(home / "bin" / "spark-class"), f"{_PACKAGE}.{kind}", *options, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env=_environment(state, name, home),
        )
    daemons.record(state, name, process.pid)


def _environment(state: Path, name: str, home: Path) -> dict[str, str]:
    # A SPARK_* variable of another installation would mix its JARs and settings with ours.
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("SPARK_")}
    return inherited | {
        "SPARK_HOME": str(home),
        "SPARK_LOCAL_IP": _HOST,  # also keeps the web pages of master and workers on loopback
        "SPARK_DAEMON_MEMORY": _DAEMON_MEMORY,
        "SPARK_WORKER_DIR": str(state / "work" / name),
        "SPARK_LOCAL_DIRS": str(state / "local"),
    }


def _write_properties(state: Path, master_url: str, settings: Path | None) -> Path:
    """Write spark.conf, readable by its owner only; used by the daemons and by spark-submit."""
    shipped = settings.read_text(encoding="utf-8") if settings else _CLOSED
    own = {
        "spark.master": master_url,
        "spark.authenticate.secret": secrets.token_hex(32),
        "spark.driver.host": _HOST,
        "spark.driver.bindAddress": _HOST,
    }
    lines = [f"{key} {value}\n" for key, value in own.items()]
    path = state / "spark.conf"
    path.touch(mode=0o600)
    path.write_text(f"{shipped}\n# Of this cluster alone.\n{''.join(lines)}", encoding="utf-8")
    return path


def _wait(state: Path, ui_port: int, *, n_workers: int) -> None:
    """Wait until the master answers and counts that many live workers."""
    deadline = time.monotonic() + _START_SECONDS
    while _alive_workers(ui_port) < n_workers:
        _require_alive(state)
        if time.monotonic() > deadline:
            waited = f"not ready after {_START_SECONDS:.0f} s"
            raise EnvironmentProblem(f"the cluster is {waited}; logs are in {state}")
        time.sleep(0.2)


def _alive_workers(ui_port: int) -> int:
    """Return the master's count of live workers, or -1 while it does not answer."""
    connection = http.client.HTTPConnection(_HOST, ui_port, timeout=5)
    try:
        connection.request("GET", "/json/")
        answer = json.loads(connection.getresponse().read())
    except (OSError, http.client.HTTPException, ValueError):
        return -1
    finally:
        connection.close()
    return int(answer["aliveworkers"])


def _require_alive(state: Path) -> None:
    alive = {daemon.name for daemon in daemons.running(state)}
    dead = [daemon.name for daemon in daemons.recorded(state) if daemon.name not in alive]
    if dead:
        raise EnvironmentProblem(f"{dead[0]} did not start; see {state / dead[0]}.log")


def _empty(state: Path) -> None:
    """Create the state folder, and delete the files of an earlier cluster in it."""
    state.mkdir(parents=True, exist_ok=True)
    for leftover in (*state.glob("*.log"), daemons.ledger(state), state / "spark.conf"):
        leftover.unlink(missing_ok=True)
    for folder in ("work", "local"):
        shutil.rmtree(state / folder, ignore_errors=True)


def _free_ports(n_ports: int) -> list[int]:
    """Return free ports; all are kept open until the last is found, so that they differ."""
    holders = [socket.create_server((_HOST, 0)) for _ in range(n_ports)]
    ports = [int(holder.getsockname()[1]) for holder in holders]
    for holder in holders:
        holder.close()
    return ports


def _spark_home() -> Path:
    spec = find_spec("pyspark")
    if spec is None or spec.origin is None:
        raise EnvironmentProblem("pyspark is not installed: run make setup")
    return Path(spec.origin).parent
