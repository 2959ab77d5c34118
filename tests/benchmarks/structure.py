"""Every structure job on a generated graph, by GraphFrames on local[2] and by one-worker kernels.

    python tests/benchmarks/structure.py --edges 1000000

The graph is like that of a shop: 80% of the edges join users and items of a power law, mostly
within one of 50 groups, the rest joins users of a group. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from interest_graph.cache_scope import cache_scope
from interest_graph.config import GraphConfig
from interest_graph.graph import distributed_algorithms, local_algorithms, paths
from interest_graph.graph.structure import number_vertices
from interest_graph.progress import console, phase
from interest_graph.session import open_session

N_GROUPS = 50
STRAY_FRACTION = 0.2  # of the edges of a user that leave the user's group
LIMIT_SECONDS = 180
SETTINGS = {
    "spark.master": "local[2]",
    "spark.driver.memory": "3g",
    "spark.sql.shuffle.partitions": "8",
}
Seconds = dict[str, float]


def main() -> None:
    """Time both engines; fails when a job of GraphFrames takes more than three minutes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--edges", type=int, default=1_000_000)
    n_edges = parser.parse_args().edges
    edges = generated(n_edges)
    by_kernel = kernel_seconds(edges)
    spark = open_session("benchmark", settings=SETTINGS)
    with cache_scope(spark):
        by_frames = frames_seconds(spark, edges)
    spark.stop()
    slow = {name: seconds for name, seconds in by_frames.items() if seconds > LIMIT_SECONDS}
    print(json.dumps({"edges": len(edges), "graphframes": by_frames, "kernel": by_kernel}))
    if slow:
        raise SystemExit(f"more than {LIMIT_SECONDS} s: {slow}")


def generated(n_edges: int) -> pd.DataFrame:
    """src, dst, weight, first_day of `n_edges` distinct edges; users `u:<n>`, items `i:<n>`."""
    random = np.random.default_rng(7)
    n_users, n_items = n_edges // 16, n_edges // 40
    social = int(0.2 * n_edges)
    pairs = [
        distinct_pairs(random, n_edges - social, n_users, n_items, skew=2.0),
        distinct_pairs(random, social, n_users, n_users, skew=1.0),
    ]
    frames_ = [
        pd.DataFrame({"src": names("u:", pairs[0][0]), "dst": names("i:", pairs[0][1])}),
        pd.DataFrame({"src": names("u:", pairs[1][0]), "dst": names("u:", pairs[1][1])}),
    ]
    edges = pd.concat(frames_, ignore_index=True)
    edges["weight"] = random.integers(1, 81, len(edges)) / 8.0
    edges["day"] = random.integers(0, 60, len(edges))
    return edges


def distinct_pairs(
    random: np.random.Generator, wanted: int, n_left: int, n_right: int, *, skew: float
) -> tuple[np.ndarray, np.ndarray]:
    """Ends of distinct edges, the smaller number first where both sides are the same set."""
    keys = np.empty(0, dtype=np.int64)
    while len(keys) < wanted:
        left = random.integers(0, n_left, wanted)
        group = np.where(
            random.random(wanted) < STRAY_FRACTION,
            random.integers(0, N_GROUPS, wanted),
            left % N_GROUPS,
        )
        place = np.floor(random.random(wanted) ** skew * (n_right // N_GROUPS)).astype(np.int64)
        right = place * N_GROUPS + group
        if n_left == n_right:
            left, right = np.minimum(left, right), np.maximum(left, right)
        drawn = (left * n_right + right)[(n_left != n_right) | (left != right)]
        keys = np.unique(np.r_[keys, drawn])
    chosen = random.permutation(keys)[:wanted]
    return chosen // n_right, chosen % n_right


def names(prefix: str, numbers: np.ndarray) -> pd.Series:
    """Vertex ids."""
    return prefix + pd.Series(numbers).astype(str)


def kernel_seconds(edges: pd.DataFrame) -> Seconds:
    """Seconds of each kernel on one thread; `index` names and sorts the vertices."""
    start = time.perf_counter()
    index, ids = pd.factorize(pd.concat([edges["src"], edges["dst"]]), sort=True)
    src, dst = np.split(index.astype(np.int64), 2)
    graph = local_algorithms.build_adjacency(src, dst, edges["weight"].to_numpy(), len(ids))
    settings = GraphConfig().structure
    rank = {
        "damping": settings.damping,
        "tolerance": settings.rank_tolerance,
        "max_rounds": settings.max_rank_rounds,
    }
    work: dict[str, Callable[[], Any]] = {
        "components": lambda: local_algorithms.components(graph),
        "pagerank": lambda: [
            local_algorithms.pagerank(graph, weighted=weighted, **rank)
            for weighted in (False, True)
        ],
        "core_numbers": lambda: local_algorithms.core_numbers(graph),
        "labels": lambda: local_algorithms.propagate_labels(graph, rounds=settings.label_rounds),
        "leiden": lambda: local_algorithms.leiden(graph, seed=0),
        "triangles": lambda: local_algorithms.triangles(graph),
        "hops": lambda: local_algorithms.hops_from(graph, np.array([0, 1])),
    }
    return {"index": round(time.perf_counter() - start, 2)} | {
        name: seconds_of(name, pipeline) for name, pipeline in work.items()
    }


def frames_seconds(spark: SparkSession, edges: pd.DataFrame) -> Seconds:
    """Seconds of each job in Spark; `index` names and sorts the vertices."""
    ends = as_frame(spark, edges)
    start = time.perf_counter()
    named, links = number_vertices(ends)
    vertices = named.select(F.col("index").alias("id")).localCheckpoint()
    degrees = distributed_algorithms.degrees(vertices, links)
    settings = GraphConfig().structure
    config = GraphConfig(structure={"engine": "graphframes"})
    work: dict[str, Callable[[distributed_algorithms.Report], DataFrame]] = {
        "components": lambda report: distributed_algorithms.components(vertices, links),
        "pagerank": lambda report: distributed_algorithms.pagerank(
            degrees, links, settings, report=report
        ),
        "core_numbers": lambda report: distributed_algorithms.core_numbers(
            degrees, links, report=report
        ),
        "labels": lambda report: distributed_algorithms.propagate_labels(
            vertices, links, rounds=settings.label_rounds, report=report
        ),
        "triangles": lambda report: distributed_algorithms.triangles(degrees, links),
        "hops": lambda report: paths.hops_to(ends, ["u:0", "i:0"], config),
        "followed_by": lambda report: paths.followed_by(
            ends.where("dst LIKE 'i:%'"), k=10, max_items_per_user=100
        ),
    }
    seconds = {"index": round(time.perf_counter() - start, 2)}
    for name, pipeline in work.items():
        with phase(spark, name) as report, cache_scope(spark):
            seconds[name] = seconds_of(
                name, lambda pipeline=pipeline, report=report: pipeline(report).count()
            )
    return seconds


def as_frame(spark: SparkSession, edges: pd.DataFrame) -> DataFrame:
    """The edges with first_ts, cached."""
    given = spark.createDataFrame(edges)
    start = F.lit(datetime(2024, 1, 1)).cast("timestamp")
    days = F.make_interval(days=F.col("day").cast("int"))
    frame = given.withColumn("first_ts", start + days).drop("day").persist()
    frame.count()
    return frame


def seconds_of(name: str, pipeline: Callable[[], Any]) -> float:
    """Wall seconds of a job, said aloud."""
    start = time.perf_counter()
    pipeline()
    seconds = round(time.perf_counter() - start, 2)
    console.print(f"{name}: {seconds} s")
    return seconds


if __name__ == "__main__":
    main()
