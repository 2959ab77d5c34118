"""NDCG@20 of training on many shards beside one shard's: MovieLens 100k by protocol P1 (p1.py).

    python tests/benchmarks/parity.py DATA [--shards 1 4 16] [--models NAME ...] [--set ...]

Every rating is a positive of weight 1; training stops early on 5% of the train pairs. The last
line of the output is one JSON object; `ratio` is to the first number of shards.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

from p1 import write_p1
from pyspark.sql import DataFrame, SparkSession
from train import SETTINGS, Exam, K, exam_of, examine, settings_of

from interest_graph.config import TrainConfig
from interest_graph.session import open_session


def read_p1(spark: SparkSession, data: Path) -> Exam:
    """The published split as frames in memory."""
    with tempfile.TemporaryDirectory(prefix="parity-") as folder:
        write_p1(data, Path(folder))
        train, test = (read_pairs(spark, Path(folder, f"{part}.csv")) for part in ("train", "test"))
        exam = exam_of(train, test, TrainConfig())
        for frame in (exam.edges, exam.validation, exam.histories, exam.test):
            frame.count()  # reads the files before they go
    return exam


def read_pairs(spark: SparkSession, path: Path) -> DataFrame:
    """user_id, item_id."""
    return spark.read.csv(str(path), header=True).select("user_id", "item_id")


def compare(
    spark: SparkSession, exam: Exam, model: str, shards: list[int], overrides: list[str]
) -> dict[int, dict[str, float]]:
    """By number of shards: the measure, its ratio to the first one's, and seconds."""
    results: dict[int, dict[str, float]] = {}
    for n_shards in shards:
        found = examine(spark, exam, settings_of(model, n_shards, {}, overrides))
        first = results.get(shards[0], {f"ndcg@{K}": found["ndcg"]})[f"ndcg@{K}"]
        results[n_shards] = {
            f"ndcg@{K}": round(found["ndcg"], 5),
            "ratio": round(found["ndcg"] / first, 4),
            "seconds": round(found["seconds"], 1),
        }
        print(model, n_shards, results[n_shards], flush=True)
    return results


def main() -> None:
    """Fit each model on each number of shards."""
    parser = argparse.ArgumentParser(description="Sharded training beside one shard.")
    parser.add_argument("data", type=Path)
    parser.add_argument("--shards", type=int, nargs="+", default=[1, 4, 16])
    parser.add_argument("--models", nargs="+", default=["spectral", "lightgcn"])
    parser.add_argument("--set", dest="overrides", action="append", default=[])
    arguments = parser.parse_args()
    spark = open_session("parity", settings=SETTINGS)
    exam = read_p1(spark, arguments.data)
    result: dict[str, object] = {"benchmark": "parity"}
    for model in arguments.models:
        result[model] = compare(spark, exam, model, arguments.shards, arguments.overrides)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
