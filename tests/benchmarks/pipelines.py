"""Runs the pipeline as a user does, in a warehouse of its own, and reads its tables."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml
from deltalake import DeltaTable

ROOT = Path(__file__).resolve().parents[2]

Tree = dict[str, Any]


def run_cli(command: str, settings: Tree, folder: Path, overrides: Iterable[str] = ()) -> float:
    """Run `interest-graph command` on these settings in the folder; returns its seconds."""
    tree = settings | {"warehouse": {"table_root": str(folder / "warehouse")}}
    config = folder / "pipeline.yaml"
    config.write_text(yaml.safe_dump(tree), encoding="utf-8")
    program = Path(sys.executable).with_name("interest-graph")
    extra = [part for override in overrides for part in ("--set", override)]
    started = time.monotonic()
    subprocess.run([program, command, "--config", config, *extra], check=True, cwd=ROOT)
    return time.monotonic() - started


def read_table(folder: Path, name: str) -> list[Tree]:
    """The rows of a table of the folder's warehouse, by delta-rs."""
    path = folder / "warehouse" / name.replace(".", "/")
    rows: list[Tree] = DeltaTable(str(path)).to_pyarrow_table().to_pylist()
    return rows


def stages_of(folder: Path) -> Tree:
    """Seconds and peak memory of the last run of each job."""
    runs = sorted(read_table(folder, "ops.runs"), key=lambda row: row["started_ts"])
    return {
        row["job"]: {"seconds": row["seconds"], "peak_memory_mb": row["peak_memory_mb"]}
        for row in runs
    }


def metrics_of(folder: Path, k: int) -> Tree:
    """split -> model -> measure at list length k, rounded."""
    found: Tree = {}
    for row in read_table(folder, "gold.metrics"):
        if row["k"] == k:
            models = found.setdefault(row["split"], {})
            models.setdefault(row["model"], {})[row["metric"]] = round(row["value"], 4)
    return found
