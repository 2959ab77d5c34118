"""List of started daemon processes in a file, and stopping them with all their children."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

_STOP_SECONDS = 20.0


@dataclass(frozen=True)
class Daemon:
    """A daemon's process. started: its start time, to tell it from a later process of this id."""

    name: str
    pid: int
    started: float


def ledger(state: Path) -> Path:
    """Return the file of a state folder that lists its daemons."""
    return state / "daemons.json"


def recorded(state: Path) -> list[Daemon]:
    """Return all daemons in the file, running or not."""
    path = ledger(state)
    known = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
    return [Daemon(**entry) for entry in known]


def record(state: Path, name: str, pid: int) -> None:
    """Add a process that has just been started."""
    daemon = Daemon(name, pid, psutil.Process(pid).create_time())
    known = [asdict(entry) for entry in [*recorded(state), daemon]]
    ledger(state).write_text(json.dumps(known, indent=1), encoding="utf-8")


def running(state: Path) -> list[Daemon]:
    """Return the daemons that still run."""
    return [daemon for daemon in recorded(state) if _is_same(daemon)]


def _is_same(daemon: Daemon) -> bool:
    try:
        process = psutil.Process(daemon.pid)
        # A child of this process that has ended is a zombie until it is waited for.
        is_live: bool = process.status() != psutil.STATUS_ZOMBIE
        return is_live and abs(float(process.create_time()) - daemon.started) < 1.0
    except psutil.NoSuchProcess:
        return False


def family(pid: int) -> list[psutil.Process]:
    """Return the process and all its descendants, such as executors and Python workers."""
    try:
        parent = psutil.Process(pid)
        return [parent, *parent.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def end(processes: list[psutil.Process]) -> None:
    """Terminate the processes; kill those that still run after _STOP_SECONDS."""
    for process in processes:
        _signal(process, "terminate")
    _, stubborn = psutil.wait_procs(processes, timeout=_STOP_SECONDS)
    for process in stubborn:
        _signal(process, "kill")
    psutil.wait_procs(stubborn, timeout=_STOP_SECONDS)


def _signal(process: psutil.Process, method: str) -> None:
    try:
        getattr(process, method)()
    except psutil.NoSuchProcess:
        return
