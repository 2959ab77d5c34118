"""Accuracy on public data with a fixed test part: the configured model beside the baselines.

    python tests/benchmarks/accuracy.py movielens|lastfm|retailrocket DATA [--set train.model=ease]

movielens: MovieLens 100k by protocol P1 (p1.py), every rating a positive of weight 1.
lastfm: data1.txt.gz and test1.txt.gz of LightGCN's repository, every listened artist weight 1.
retailrocket: events.csv.gz (views 1, carts 3, purchases 5) and test.csv.gz, one purchase a user.
Pairs of train are never listed. The last line of the output is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable
from pathlib import Path

import pandas as pd
from p1 import write_p1
from pipelines import Tree, metrics_of, run_cli, stages_of

_LASTFM_START = 1_262_304_000  # 2010, a date that clean takes
_RETAILROCKET_END = 1_442_620_799  # 2015-09-18, the last day of the log


def write_movielens(data: Path, parts: Path) -> Tree:
    """Protocol P1."""
    write_p1(data, parts)
    columns = {"user_id": "user_id", "item_id": "item_id", "value": "rating"}
    source = {"action": "rating", "columns": columns | {"event_time": "timestamp"}}
    return settings_for(parts, source, as_of="1998-04-23T00:00:00Z")  # the day after the last


def write_lastfm(data: Path, parts: Path) -> Tree:
    """Pairs without times: they get one second after the other."""
    names = ["user_id", "item_id", "plays"]
    for part, name in (("train", "data1.txt.gz"), ("test", "test1.txt.gz")):
        pairs = pd.read_csv(data / name, sep=r"\s+", names=names)
        pairs["timestamp"] = _LASTFM_START + pairs.index
        pairs.to_csv(parts / f"{part}.csv", index=False)
    columns = {"user_id": "user_id", "item_id": "item_id", "event_time": "timestamp"}
    source = {"action": "play", "columns": columns}
    return settings_for(parts, source, as_of="2011-01-01T00:00:00Z")


def write_retailrocket(data: Path, parts: Path) -> Tree:
    """Purchases of the test part come after the whole log."""
    pd.read_csv(data / "events.csv.gz").to_csv(parts / "train.csv", index=False)
    bought = pd.read_csv(data / "test.csv.gz")
    bought.assign(timestamp=_RETAILROCKET_END, event="buy").to_csv(parts / "test.csv", index=False)
    columns = {"user_id": "user_id", "item_id": "item_id", "event_time": "timestamp"}
    source: Tree = {"columns": columns | {"action": "event"}}
    source["actions"] = {"view": "view", "cart": "cart", "buy": "purchase"}
    tree = settings_for(parts, source, as_of="2015-09-19T00:00:00Z")
    tree["graph"]["action_weights"] = {"view": 1, "cart": 3, "purchase": 5}
    return tree


WRITERS: dict[str, Callable[[Path, Path], Tree]] = {
    "movielens": write_movielens,
    "lastfm": write_lastfm,
    "retailrocket": write_retailrocket,
}


def settings_for(parts: Path, source: Tree, as_of: str) -> Tree:
    """Two sources, train and test, evaluated as a given split."""
    sources = [
        {"name": name, "path": str(parts / f"{name}.csv"), "time": {"format": "epoch_s"}, **source}
        for name in ("train", "test")
    ]
    split = {"kind": "given", "train_source": "train", "test_source": "test"}
    return {
        "as_of": as_of,
        "sources": sources,
        "graph": {"half_life_days": None, "edges_per_user": 10_000},
        "evaluate": {"splits": [split]},
    }


def main() -> None:
    """Ingest, clean and evaluate in a warehouse of its own."""
    parser = argparse.ArgumentParser(description="Evaluate on a fixed test part.")
    parser.add_argument("dataset", choices=list(WRITERS))
    parser.add_argument("data", type=Path)
    parser.add_argument("--set", dest="overrides", action="append", default=[])
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="accuracy-") as name:
        folder = Path(name)
        parts = folder / "parts"
        parts.mkdir()
        settings = WRITERS[arguments.dataset](arguments.data, parts)
        for command in ("ingest", "clean", "evaluate"):
            run_cli(command, settings, folder, arguments.overrides)
        result = {"benchmark": "accuracy", "dataset": arguments.dataset}
        result |= {"stages": stages_of(folder)}
        result |= {"top_10": metrics_of(folder, k=10), "top_20": metrics_of(folder, k=20)}
    print(json.dumps(result))


if __name__ == "__main__":
    main()
