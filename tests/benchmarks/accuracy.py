"""Accuracy on MovieLens 100k by protocol P1 (p1.py): the configured model beside the baselines.

    python tests/benchmarks/accuracy.py DATA [--set train.model=ease ...]

Every rating is a positive of weight 1. The last line of the output is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

from p1 import write_p1
from pipelines import Tree, metrics_of, run_cli, stages_of


def settings_for(parts: Path) -> Tree:
    """Two sources, train and test, evaluated as a given split."""
    columns = {"user_id": "user_id", "item_id": "item_id", "value": "rating"}
    common = {"columns": columns | {"event_time": "timestamp"}, "time": {"format": "epoch_s"}}
    sources = [
        {"name": name, "path": str(parts / f"{name}.csv"), "action": "rating", **common}
        for name in ("train", "test")
    ]
    split = {"kind": "given", "train_source": "train", "test_source": "test"}
    return {
        "as_of": "1998-04-23T00:00:00Z",  # the day after the last rating
        "sources": sources,
        "graph": {"half_life_days": None, "edges_per_user": 10_000},
        "evaluate": {"splits": [split]},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="Evaluate by protocol P1.")
    parser.add_argument("data", type=Path)
    parser.add_argument("--set", dest="overrides", action="append", default=[])
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="accuracy-") as name:
        folder = Path(name)
        write_p1(arguments.data, folder / "p1")
        settings = settings_for(folder / "p1")
        for command in ("ingest", "clean", "evaluate"):
            run_cli(command, settings, folder, arguments.overrides)
        result = {"benchmark": "accuracy", "stages": stages_of(folder)}
        result |= {"top_10": metrics_of(folder, k=10), "top_20": metrics_of(folder, k=20)}
    print(json.dumps(result))


if __name__ == "__main__":
    main()
