"""SIGKILL at each write of ingest and clean, before and after its commit; then a run to the end.

    python tests/benchmarks/crash.py FOLDER [--points 10]

Every killed pipeline, once run again, must hold the rows of an undisturbed one. The last line is
JSON: points, equal.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
from made_log import ROOT, open_made_job

SIZE = {"events": 3_000, "users": 150, "items": 1_000, "bots_per_rule": 1, "days": 4}
TABLES = ("EVENTS", "ITEMS", "INTERACTIONS", "QUARANTINE", "BATCHES", "FILES")


def main() -> None:
    """Kill and repair; print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--points", type=int, default=10)
    parser.add_argument("--run", help="warehouse of one run, in a process of its own")
    parser.add_argument("--kill", default="", help="write number and before or after: 3:before")
    options = parser.parse_args()
    if options.run:
        print(json.dumps(run(options.folder, options.run, options.kill)))
        return
    undisturbed = start(options.folder, "undisturbed")
    writes = undisturbed.pop("writes")
    every = [f"{n}:{side}" for n in range(1, writes + 1) for side in ("before", "after")]
    places = np.linspace(0, len(every) - 1, min(options.points, len(every)))
    points = [every[round(place)] for place in places]
    outcomes = {}
    for point in points:
        killed = start(options.folder, point, kill=point)
        assert not killed, f"{point}: the process was not killed"
        mended = start(options.folder, point)
        mended.pop("writes")
        outcomes[point] = mended == undisturbed
        print(f"{point}: {'equal' if outcomes[point] else 'DIFFERS'}", file=sys.stderr)
    print(json.dumps({"writes": writes, "points": len(points), "equal": sum(outcomes.values())}))


def start(folder: Path, name: str, kill: str = "") -> dict[str, Any]:
    """One run in a process of its own; empty where it was killed."""
    command = [sys.executable, __file__, str(folder), "--run", name, "--kill", kill]
    done = subprocess.run(command, check=False, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    if done.returncode == -signal.SIGKILL:
        return {}
    done.check_returncode()
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def run(folder: Path, name: str, kill: str) -> dict[str, Any]:
    """Ingest and clean; returns a digest of each table's rows, and the number of writes."""
    from interest_graph import tables
    from interest_graph.jobs.clean import JOB as CLEAN
    from interest_graph.jobs.generate import JOB as GENERATE
    from interest_graph.jobs.ingest import JOB as INGEST

    pipeline = open_made_job(
        folder / "generated",
        folder / "warehouses" / name.replace(":", "-"),
        SIZE,
        spark={"spark.sql.shuffle.partitions": "2"},
    )
    if not (folder / "generated").exists():
        pipeline.run(GENERATE)
    writes = killer(kill)
    for step in (INGEST, CLEAN):
        pipeline.run(step)
    digests = {}
    for table in (getattr(tables, constant) for constant in TABLES):
        rows = sorted(str(tuple(row)) for row in pipeline.store.read(table).collect())
        digests[table.name] = hashlib.sha256("\n".join(rows).encode()).hexdigest()
    return {**digests, "writes": writes[0]}


def killer(kill: str) -> list[int]:
    """Counts the store's writes of data tables, and kills this process around one of them."""
    from interest_graph import tables
    from interest_graph.store import Store

    number, _, side = kill.partition(":")
    done = [0]

    def around(write: Any) -> Any:
        def wrapped(self: Any, table: Any, *arguments: Any, **settings: Any) -> None:
            if table is tables.RUNS:
                write(self, table, *arguments, **settings)
                return
            done[0] += 1
            is_point = number == str(done[0])
            if is_point and side == "before":
                os.kill(os.getpid(), signal.SIGKILL)
            write(self, table, *arguments, **settings)
            if is_point:
                os.kill(os.getpid(), signal.SIGKILL)

        return wrapped

    for method in ("append", "replace", "merge", "delete", "commit", "rewrite", "edit_rows"):
        setattr(Store, method, around(getattr(Store, method)))
    return done


if __name__ == "__main__":
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    main()
