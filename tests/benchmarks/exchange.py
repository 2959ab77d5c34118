"""Seconds of training by resident workers and by a Spark job a round, on MovieLens 100k.

    python -m tests.benchmarks.exchange --data DATA [--shards 2] [--rounds 25] [--repeats 3]

DATA: the folder or file of the ratings (see p1.py). Protocol P1's train pairs are trained on, 5% of
them held out, from a random start, so that all seconds are of rounds, their exchange and their
checkpoints. The two ways take turns, after one short run of each that is not timed. Prints one JSON
line: medians, their ratio, and the largest difference between the two ways' vectors.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
from numpy.typing import NDArray
from pyspark.sql import DataFrame, SparkSession
from tests.benchmarks.p1 import split_p1
from tests.benchmarks.train import SETTINGS

from interest_graph.config import TrainConfig
from interest_graph.session import open_session
from interest_graph.train.distributed.trainer import Trainer
from interest_graph.train.edges import hold_out_edges
from interest_graph.train.models.lightgcn import LightGCN

WAYS = ("rounds", "resident")


def read_pairs(spark: SparkSession, data: Path, config: TrainConfig) -> tuple[DataFrame, DataFrame]:
    """Train pairs of weight 1 and held-out ones, both cached."""
    train, _ = split_p1(data)
    rows = [(f"{user:04}", f"{item:04}", 1.0) for user, item in train[:, :2].tolist()]
    edges = spark.createDataFrame(rows, "user_id STRING, item_id STRING, weight DOUBLE")
    kept, held_out = hold_out_edges(edges, config.validation.fraction, config.seed)
    return kept.cache(), held_out.cache()


def train(
    spark: SparkSession, pairs: tuple[DataFrame, DataFrame], config: TrainConfig
) -> tuple[float, NDArray[np.float32]]:
    """Seconds of all rounds, without cutting the graph before them; and the vectors by key."""
    seconds: list[float] = []
    run = Trainer.run

    def timed(trainer: Trainer, start: Any) -> Any:
        started = time.monotonic()
        progress = run(trainer, start)
        seconds.append(time.monotonic() - started)
        return progress

    with tempfile.TemporaryDirectory() as folder, mock.patch.object(Trainer, "run", timed):
        fitted = LightGCN(spark, config, folder).fit(*pairs)
        vectors = [
            row.vector
            for frame in (fitted.user_vectors, fitted.item_vectors)
            for row in sorted(frame.select("key", "vector").collect())
        ]
    return seconds[0], np.array(vectors, dtype=np.float32)


def main() -> None:
    """Train both ways in turns."""
    parser = argparse.ArgumentParser(description="Seconds of both ways to exchange.")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--shards", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=25)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    rounds = {"max_rounds": arguments.rounds, "patience": arguments.rounds, "start": "random"}
    configs = {way: TrainConfig(n_shards=arguments.shards, exchange=way, **rounds) for way in WAYS}
    spark = open_session("benchmark", settings=SETTINGS)
    pairs = read_pairs(spark, arguments.data, configs["rounds"])
    times: dict[str, list[float]] = {way: [] for way in WAYS}
    vectors = {}
    for repeat in range(arguments.repeats + 1):
        for way, config in configs.items():
            if repeat == 0:
                config = config.model_copy(update={"max_rounds": 2})
            seconds, vectors[way] = train(spark, pairs, config)
            if repeat:
                times[way].append(seconds)
    medians = {f"{way}_seconds": round(statistics.median(times[way]), 2) for way in WAYS}
    found = {
        "shards": arguments.shards,
        "rounds": arguments.rounds,
        **medians,
        "ratio": round(medians["resident_seconds"] / medians["rounds_seconds"], 3),
        "largest_difference": float(np.abs(vectors["rounds"] - vectors["resident"]).max()),
        "times": {way: [round(each, 2) for each in times[way]] for way in WAYS},
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
