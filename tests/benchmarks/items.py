"""Time and memory as the catalogue grows: a model, top lists and reasons over a million items.

    python tests/benchmarks/items.py [--items 1000000] [--edges 10000000] [--model spectral]

200,000 users choose among the items: a tenth of the edges reach every item once, the others follow
a power law. The interest graph has 20 near items and 3 interests an item. All of it lies in Parquet
files before anything is measured. `--model synthetic` takes seeded vectors in place of a fit, for
measuring lists and reasons alone. The last line is one JSON object: seconds by part, the largest
Python worker by part, the peak of the JVM's heap (driver and executors are one JVM here) and how
many reasons of each kind were found. Fails when a worker had more than --worker-mb.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from interest_graph.config import TrainConfig
from interest_graph.memory import PeakMemory
from interest_graph.recommend.explain import explain
from interest_graph.recommend.topk import gather_histories, top_k
from interest_graph.session import open_session
from interest_graph.train.registry import make_model

NEAR_ITEMS, INTERESTS_OF_AN_ITEM, N_INTERESTS = 20, 3, 2_000
NEIGHBOURHOOD = 200  # near items are among the next ones by popularity
ITEM_EXPONENT = 0.8  # an item's share of the edges falls with rank ** -0.8
MADE_IN = 16  # tasks that make a table


@dataclass
class Measures:
    """Seconds and the largest Python worker of each part."""

    seconds: dict[str, float] = field(default_factory=dict)
    worker_mb: dict[str, int] = field(default_factory=dict)
    peak_mb: int = 0

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Measure the block under this name."""
        started = time.monotonic()
        with PeakMemory() as memory:
            yield
        self.seconds[name] = round(time.monotonic() - started, 1)
        self.worker_mb[name] = round(memory.worker_mb)
        self.peak_mb = max(self.peak_mb, round(memory.peak_mb))
        print(json.dumps({name: self.seconds[name], "mb": self.worker_mb[name]}), flush=True)


def chance(seed: int, *keys: Any) -> Column:
    """A number in [0, 1) that the keys alone decide."""
    bits = F.xxhash64(*keys, F.lit(seed)).bitwiseAND((1 << 53) - 1)
    return bits / float(1 << 53)


def item_key(number: Column) -> Column:
    """The item_id of a number; small numbers are popular."""
    return F.concat(F.lit("item-"), number.cast("bigint").cast("string"))


def user_key(number: Column) -> Column:
    """The user_id of a number."""
    return F.concat(F.lit("user-"), number.cast("string"))


def make_edges(spark: SparkSession, n_users: int, n_items: int, n_edges: int) -> DataFrame:
    """user_id, item_id, weight: about n_edges of them, pairs drawn twice counting once."""
    of_a_user, sure = n_edges // n_users, -(-n_items // n_users)
    power = 1 - ITEM_EXPONENT

    def item(place: Column) -> Column:
        rank = ((n_items**power - 1) * chance(1, "id", place) + 1) ** (1 / power) - 1
        number = F.when(place < sure, F.col("id") * sure + place).otherwise(F.floor(rank))
        return item_key(number % n_items)

    places = F.sequence(F.lit(0), F.lit(max(of_a_user, sure) - 1))
    items = F.explode(F.array_distinct(F.transform(places, item))).alias("item_id")
    weight = (1 + F.floor(4 * chance(2, "user_id", "item_id"))).alias("weight")
    pairs = spark.range(n_users, numPartitions=MADE_IN).select(
        user_key(F.col("id")).alias("user_id"), items
    )
    return pairs.select("user_id", "item_id", weight)


def make_graph(spark: SparkSession, n_items: int) -> tuple[DataFrame, DataFrame]:
    """Edges (src, dst, kind, weight) and vertices (id, kind, key, name) of the item side."""
    items = spark.range(n_items, numPartitions=MADE_IN)
    src = F.concat(F.lit("i:"), item_key(F.col("id"))).alias("src")

    def ends(n: int, dst: Callable[[Column], Column], kind: str) -> DataFrame:
        places = F.explode(F.sequence(F.lit(1), F.lit(n))).alias("place")
        drawn = items.select("id", src, places).withColumn("dst", dst(F.col("place")))
        weight = chance(4, "src", "dst").alias("weight")
        return drawn.select("src", "dst", F.lit(kind).alias("kind"), weight)

    def near(place: Column) -> Column:
        step = NEIGHBOURHOOD // NEAR_ITEMS
        number = F.col("id") + place * step - F.floor(step * chance(3, "id", place))
        return F.concat(F.lit("i:"), item_key(number % n_items))

    def interest(place: Column) -> Column:
        number = F.floor(N_INTERESTS * chance(5, "id", place))
        return F.concat(F.lit("t:topic-"), number.cast("string"))

    edges = ends(NEAR_ITEMS, near, "item_item").unionByName(
        ends(INTERESTS_OF_AN_ITEM, interest, "item_interest")
    )
    title = F.concat(F.lit("Title of item "), F.col("id").cast("string")).alias("name")
    vertices = items.select(
        src.alias("id"), F.lit("item").alias("kind"), item_key(F.col("id")).alias("key"), title
    )
    key = F.concat(F.lit("topic-"), F.col("id").cast("string")).alias("key")
    topics = spark.range(N_INTERESTS).select(
        F.concat(F.lit("t:"), key).alias("id"),
        F.lit("interest").alias("kind"),
        key,
        key.alias("name"),
    )
    return edges, vertices.unionByName(topics)


def make_vectors(
    spark: SparkSession, n: int, key: Callable[[Column], Column], dimension: int, seed: int
) -> DataFrame:
    """key, vector of seeded numbers in [-0.5, 0.5)."""
    places = F.sequence(F.lit(1), F.lit(dimension))
    vector = F.transform(places, lambda place: (chance(seed, "id", place) - 0.5).cast("float"))
    rows = spark.range(n, numPartitions=MADE_IN)
    return rows.select(key(F.col("id")).alias("key"), vector.alias("vector"))


def make_tables(
    spark: SparkSession, arguments: argparse.Namespace, folder: str
) -> dict[str, DataFrame]:
    """All inputs, written and read again, so that making them is not measured."""
    n_users, n_items = arguments.users, arguments.items
    graph_edges, vertices = make_graph(spark, n_items)
    frames = {
        "edges": make_edges(spark, n_users, n_items, arguments.edges),
        "graph_edges": graph_edges,
        "vertices": vertices,
    }
    if arguments.model == "synthetic":
        sides = {"user_vectors": (n_users, user_key), "item_vectors": (n_items, item_key)}
        for seed, (name, (n, key)) in enumerate(sides.items(), 6):
            frames[name] = make_vectors(spark, n, key, arguments.dimension, seed)
    for name, frame in frames.items():
        frame.write.parquet(f"{folder}/{name}")
    return {name: spark.read.parquet(f"{folder}/{name}") for name in frames}


def fit(
    spark: SparkSession, edges: DataFrame, arguments: argparse.Namespace, folder: str
) -> dict[str, DataFrame]:
    """Vectors of a fitted model, written so that ranking reads them as the recommend job does."""
    config = TrainConfig(model=arguments.model, n_shards=None, dimension=arguments.dimension)
    fitted = make_model(config.model, spark, config, f"{folder}/work").fit(edges)
    vectors = {"user_vectors": fitted.user_vectors, "item_vectors": fitted.item_vectors}
    for name, frame in vectors.items():
        frame.write.parquet(f"{folder}/{name}")
    fitted.release()
    return {name: spark.read.parquet(f"{folder}/{name}") for name in vectors}


def measure(spark: SparkSession, arguments: argparse.Namespace, folder: str) -> dict[str, Any]:
    """Fit, rank for the served users, and explain their lists."""
    measures = Measures()
    made = make_tables(spark, arguments, folder)
    edges = made["edges"]
    n_served = min(arguments.served, arguments.users)
    served = edges.join(
        spark.range(n_served).select(user_key(F.col("id")).alias("user_id")),
        "user_id",
        how="left_semi",
    )
    if arguments.model != "synthetic":
        with measures.part("fit"):
            made |= fit(spark, edges, arguments, folder)
    with measures.part("histories"):
        histories = gather_histories(served).persist()
        histories.count()
    with measures.part("top_k"):
        vectors = {name: made[name] for name in ("user_vectors", "item_vectors")}
        ranked = top_k(histories, k=arguments.k, **vectors).persist()
        n_listed = ranked.count()
    with measures.part("reasons"):
        explained = explain(ranked, histories, edges=made["graph_edges"], vertices=made["vertices"])
        kind = F.regexp_extract("reason", r"^(chosen by|because of|because you)", 1)
        kinds = {
            row.kind: row["count"]
            for row in explained.groupBy(kind.alias("kind")).count().collect()
        }
    return {
        "model": arguments.model,
        "items": arguments.items,
        "edges": edges.count(),
        "served": histories.count(),
        "listed": n_listed,
        "reasons": kinds,
        "seconds": measures.seconds,
        "worker_mb": measures.worker_mb,
        "heap_mb": heap_mb(spark),
        "peak_mb": measures.peak_mb,
    }


def heap_mb(spark: SparkSession) -> int:
    """The sum of the peaks of the JVM's heap pools, MiB."""
    factory = spark._jvm.java.lang.management.ManagementFactory
    pools = [p for p in factory.getMemoryPoolMXBeans() if p.getType().name() == "HEAP"]
    return round(sum(pool.getPeakUsage().getUsed() for pool in pools) / 2**20)


def main() -> None:
    """Measure once; fails when a worker had more memory than it may."""
    parser = argparse.ArgumentParser(description="Time and memory as the catalogue grows.")
    parser.add_argument("--items", type=int, default=1_000_000)
    parser.add_argument("--edges", type=int, default=10_000_000)
    parser.add_argument("--users", type=int, default=200_000)
    parser.add_argument("--served", type=int, default=20_000, help="users who get lists")
    parser.add_argument("--dimension", type=int, default=64)
    parser.add_argument("--k", type=int, default=20)
    parser.add_argument("--model", default="spectral", help="of vectors; synthetic: seeded ones")
    parser.add_argument("--heap", default="2g", help="spark.driver.memory")
    parser.add_argument("--worker-mb", type=int, default=3072, help="what a worker may have")
    arguments = parser.parse_args()
    settings = {
        "spark.master": "local[2]",
        "spark.driver.memory": arguments.heap,
        "spark.sql.shuffle.partitions": "8",
    }
    spark = open_session("items", settings=settings)
    with tempfile.TemporaryDirectory(prefix="items-") as folder:
        found = measure(spark, arguments, folder)
    spark.stop()
    print(json.dumps(found))
    largest = max(found["worker_mb"].values())
    if largest > arguments.worker_mb:
        raise SystemExit(f"a worker had {largest} MB, more than {arguments.worker_mb}")


if __name__ == "__main__":
    main()
