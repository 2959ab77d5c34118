"""A worker that dies in the middle of a task leaves nothing behind and takes nothing away."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import yaml

from interest_graph import tables
from interest_graph.config import Settings
from interest_graph.pipeline import Pipeline

ROOT = Path(__file__).parents[2]
AS_OF = datetime(2024, 2, 1, tzinfo=UTC)


def test_workers_killed_in_map_and_reduce_change_no_fact(spark, tmp_path):
    draw = random.Random(0)
    (tmp_path / "log").mkdir()
    for name in "abc":
        lines = [
            json.dumps(
                {
                    "u": f"u{draw.randrange(40)}",
                    "i": f"i{draw.randrange(9)}",
                    "a": "view",
                    "t": 1_704_067_200 + draw.randrange(86_400 * 20),
                }
            )
            for _ in range(400)
        ]
        (tmp_path / f"log/{name}.json").write_text("\n".join([*lines, "{broken"]))
    tree = {
        "project": "killed",
        "as_of": AS_OF.isoformat(),
        "warehouse": {"table_root": str(tmp_path / "killed")},
        "sources": [
            {
                "name": "log",
                "format": "json",
                "path": str(tmp_path / "log"),
                "columns": {"user_id": "u", "item_id": "i", "action": "a", "event_time": "t"},
                "time": {"format": "epoch_s"},
            }
        ],
    }
    (tmp_path / "run.yaml").write_text(yaml.safe_dump(tree))
    marks = tmp_path / "marks"
    marks.mkdir()

    paths = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(
        [sys.executable, "-m", "tests.jobs.killed_run", str(tmp_path / "run.yaml")],
        env={**os.environ, "KILL_ONCE": str(marks), "PYTHONPATH": paths},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        cwd=ROOT,
    )

    assert sorted(mark.name for mark in marks.iterdir()) == ["reduce_rows", "take_in"]
    tree["warehouse"] = {"table_root": str(tmp_path / "quiet")}
    quiet = Pipeline(Settings.model_validate(tree), spark, AS_OF)
    for job in ("ingest", "clean"):
        quiet.run(job)
    expected = sorted(map(str, quiet.store.read_rows(tables.INTERACTIONS).to_pylist()))
    assert json.loads(done.stdout.splitlines()[-1]) == expected
    assert len(expected) > 1_000
