"""End to end on MovieLens 100k: seconds and peak memory by stage, and the figures of the result.

    python tests/benchmarks/end_to_end.py DATA [--set key=value ...]

DATA: the folder with RecBole's ml-100k.inter, ml-100k.item and ml-100k.user. The last line of the
output is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

import yaml
from pipelines import ROOT, Tree, metrics_of, run_cli, stages_of


def settings_for(data: Path) -> Tree:
    """The example's settings, with its files taken from the folder `data`."""
    tree: Tree = yaml.safe_load((ROOT / "conf" / "ml-100k.yaml").read_text(encoding="utf-8"))
    for source in tree["sources"]:
        path = data.resolve() / Path(source["path"]).name
        if not path.exists():
            raise FileNotFoundError(path)
        source["path"] = str(path)
    return tree


def main() -> None:
    parser = argparse.ArgumentParser(description="Run the whole pipeline on MovieLens 100k.")
    parser.add_argument("data", type=Path)
    parser.add_argument("--set", dest="overrides", action="append", default=[])
    arguments = parser.parse_args()
    settings = settings_for(arguments.data)
    with tempfile.TemporaryDirectory(prefix="end-to-end-") as name:
        folder = Path(name)
        seconds = run_cli("run-all", settings, folder, arguments.overrides)
        result = {
            "benchmark": "end_to_end",
            "seconds": round(seconds, 1),
            "stages": stages_of(folder),
            "top_10": metrics_of(folder, k=10),
        }
        again = run_cli("run-all", settings, folder, arguments.overrides)
        result["seconds_again"] = round(again, 1)  # nothing has changed since
    print(json.dumps(result))


if __name__ == "__main__":
    main()
