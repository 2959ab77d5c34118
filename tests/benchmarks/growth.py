"""Time and memory of training as the graph grows: generated graphs of 1, 3 and 10 million edges.

    python tests/benchmarks/growth.py [--millions 1 3 10] [--rounds 2] [--dimension 32]

Users and items follow power laws; users have 20 edges on average, the heaviest ten times as many,
items grow with the square root of the edges. One more graph is ten times as skewed: its heaviest
users have a hundred times the mean. Shards hold half a million edges each, so there are more of
them on a larger graph. The last line of the output is one JSON object: `exponent` of the time of a
round (and of a whole fit) against edges, by a line through the logarithms; `memory_ratio`, the
largest peak of a worker against what the partition's report expected.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from interest_graph.config import TrainConfig
from interest_graph.memory import PeakMemory
from interest_graph.session import open_session
from interest_graph.train.registry import make_model

SETTINGS = {
    "spark.master": "local[2]",
    "spark.driver.memory": "3g",
    "spark.sql.shuffle.partitions": "4",
}
MEAN_EDGES = 20
EDGES_PER_SHARD = 500_000
ITEM_EXPONENT = 0.8  # an item's share of the edges falls with rank ** -0.8
USER_EXPONENT = 1.3  # of the Pareto law of users' edges


def chance(seed: int, *keys: Any) -> Column:
    """A number in [0, 1) that the keys alone decide."""
    bits = F.xxhash64(*keys, F.lit(seed)).bitwiseAND((1 << 53) - 1)
    return bits / float(1 << 53)


def least_edges(heaviest: int) -> float:
    """Smallest value of the bounded Pareto law whose mean is MEAN_EDGES; by bisection."""
    levels = (np.arange(100_000) + 0.5) / 100_000
    low, high = 0.1, float(MEAN_EDGES)
    for _ in range(40):
        middle = (low + high) / 2
        mean = np.minimum(heaviest, middle * levels ** (-1 / USER_EXPONENT)).mean()
        low, high = (middle, high) if mean < MEAN_EDGES else (low, middle)
    return low


def make_edges(spark: SparkSession, n_edges: int, *, skew: int, seed: int) -> DataFrame:
    """user_id, item_id, weight: about n_edges of them, pairs drawn twice counting once."""
    n_users, n_items = n_edges // MEAN_EDGES, round(10 * n_edges**0.5)
    heaviest = min(10 * skew * MEAN_EDGES, n_items // 2)
    drawn = least_edges(heaviest) * chance(seed, "id") ** (-1 / USER_EXPONENT)
    n_drawn = F.ceil(F.least(drawn, F.lit(float(heaviest)))).cast("int")
    power = 1 - ITEM_EXPONENT

    def item(k: Column) -> Column:
        rank = ((n_items**power - 1) * chance(seed + 1, "id", k) + 1) ** (1 / power)
        return F.concat(F.lit("i"), F.floor(rank).cast("string"))

    items = F.array_distinct(F.transform(F.sequence(F.lit(1), n_drawn), item))
    users = spark.range(n_users, numPartitions=8)
    user = F.concat(F.lit("u"), F.col("id").cast("string")).alias("user_id")
    return users.select(user, F.explode(items).alias("item_id"), F.lit(1.0).alias("weight"))


def train(spark: SparkSession, edges: DataFrame, config: TrainConfig) -> dict[str, Any]:
    """Fit once: seconds of the whole and of the last round, memory beside what was expected."""
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="growth-") as folder, PeakMemory() as memory:
        fitted = make_model(config.model, spark, config, folder).fit(edges)
        fitted.user_vectors.count()
        seconds = time.monotonic() - started
    whole = fitted.partition.where("shard_id = -1").first()
    found = {
        "model": config.model,
        "edges": whole.n_edges,
        "users": whole.n_users,
        "items": whole.n_items,
        "shards": config.n_shards,
        "imbalance": round(whole.imbalance, 3),
        "seconds": round(seconds, 1),
        "expected_mb": round(whole.expected_mb),
        "peak_mb": round(memory.worker_mb),
    }
    if fitted.log is not None:
        # The first round starts workers and loads torch into them.
        last = fitted.log.where("shard_id = -1").orderBy(F.desc("round")).first()
        found["round_seconds"] = round(last.seconds, 1)
        found["peak_mb"] = round(max(memory.worker_mb, last.peak_memory_mb))
    return found


def measure(n_edges: int, skew: int, arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """Both models on one graph, each in fresh workers."""
    with tempfile.TemporaryDirectory(prefix="growth-") as folder:
        results = []
        for model in ("lightgcn", "spectral"):
            spark = open_session("growth", settings=SETTINGS)
            path = f"{folder}/edges"
            if not Path(path).exists():
                make_edges(spark, n_edges, skew=skew, seed=7).write.parquet(path)
            config = TrainConfig(
                model=model,
                n_shards=max(2, round(n_edges / EDGES_PER_SHARD)),
                dimension=arguments.dimension,
                max_rounds=arguments.rounds,
                passes_per_round=1,
                batch_size=arguments.batch_size,
                start="random",
                sharding=arguments.sharding,
            )
            found = {"skew": skew, **train(spark, spark.read.parquet(path), config)}
            print(json.dumps(found), flush=True)
            results.append(found)
            spark.stop()
    return results


def exponent(results: list[dict[str, Any]], seconds: str) -> float:
    """Slope of log(seconds) against log(edges)."""
    points = [(row["edges"], row[seconds]) for row in results]
    edges, times = np.log(np.array(points, dtype=float)).T
    return round(float(np.polyfit(edges, times, 1)[0]), 3)


def main() -> None:
    """Grow the graph, then skew it."""
    parser = argparse.ArgumentParser(description="Time and memory as the graph grows.")
    parser.add_argument("--millions", type=float, nargs="+", default=[1, 3, 10])
    parser.add_argument("--skewed", type=float, default=3, help="millions of edges; skewed tenfold")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--dimension", type=int, default=32)
    parser.add_argument("--batch-size", type=int, default=65_536)
    parser.add_argument("--sharding", default="hash", choices=["hash", "community"])
    arguments = parser.parse_args()
    grown = [
        row
        for millions in arguments.millions
        for row in measure(round(millions * 1e6), 1, arguments)
    ]
    skewed = measure(round(arguments.skewed * 1e6), 10, arguments)
    by_model = {name: [r for r in grown if r["model"] == name] for name in ("lightgcn", "spectral")}
    ratios = {
        name: round(max(row["peak_mb"] / row["expected_mb"] for row in rows), 2)
        for name, rows in (("memory_ratio", grown), ("skewed_memory_ratio", skewed))
    }
    exponents = {
        "exponent": exponent(by_model["lightgcn"], "round_seconds"),
        "fit_exponent": exponent(by_model["lightgcn"], "seconds"),
        "spectral_exponent": exponent(by_model["spectral"], "seconds"),
    }
    print(json.dumps(exponents | ratios))


if __name__ == "__main__":
    main()
