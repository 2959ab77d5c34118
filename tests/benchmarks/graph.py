"""Graph build of generated events beside DuckDB and SciPy, and the same log with a hub and a robot.

    python tests/benchmarks/graph.py --events 1000000

The log is generated: users have about 50 events, items are chosen by a power law. Timed is: weigh,
prune to the 500 heaviest edges a user, project to the 50 most similar items an item. The skewed log
has as many events, but one item that 30% of the users touched and one user with 100,000 events (at
most a tenth of the log). The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from scipy import sparse

from interest_graph.cache_scope import cache_scope
from interest_graph.config import GraphConfig
from interest_graph.graph.build import prune_edges
from interest_graph.graph.project import project
from interest_graph.graph.weigh import to_graph_edges, weigh_edges
from interest_graph.session import open_session

AS_OF = datetime(2024, 1, 31, tzinfo=UTC)
EVENTS_A_USER = 50
NEIGHBOURS = 50
HUB_FRACTION = 0.3
ROBOT_EVENTS = 100_000
SETTINGS = {
    "spark.master": "local[2]",
    "spark.driver.memory": "3g",
    "spark.sql.shuffle.partitions": "8",
}


def main() -> None:
    """Run every part at the given size; with --growth also at a tenth of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--growth", action="store_true", help="also time a tenth of the events")
    parser.add_argument("--skip-peers", action="store_true", help="without DuckDB and SciPy")
    arguments = parser.parse_args()
    spark = open_session("benchmark", settings=SETTINGS)
    with tempfile.TemporaryDirectory() as folder:
        result = measure(spark, Path(folder), arguments.events, peers=not arguments.skip_peers)
        if arguments.growth:
            tenth = write_log(spark, Path(folder) / "tenth", arguments.events // 10)
            small = timed_build(spark, tenth)["seconds"]
            result |= {"tenth_seconds": small, "growth": round(result["seconds"] / small, 2)}
    spark.stop()
    print(json.dumps(result))


def measure(spark: SparkSession, folder: Path, n_events: int, *, peers: bool) -> dict[str, float]:
    """Figures of one size, the even and the skewed log."""
    even = write_log(spark, folder / "even", n_events)
    skewed = write_log(spark, folder / "skewed", n_events, skew=True)
    timed_build(spark, even)  # the first run starts workers and compiles
    result = timed_build(spark, even)
    hub = timed_build(spark, skewed)
    result |= {"events": n_events, "skewed_seconds": hub["seconds"]}
    result["skew_ratio"] = round(hub["seconds"] / result["seconds"], 2)
    if peers:
        result["duckdb_seconds"], duckdb_pairs = timed(lambda: build_in_duckdb(even))
        result["scipy_seconds"], scipy_pairs = timed(lambda: build_in_scipy(even))
        if not result["item_item_edges"] == duckdb_pairs == scipy_pairs:
            raise SystemExit(f"not the same graph: {result}, {duckdb_pairs}, {scipy_pairs}")
    return result


def write_log(spark: SparkSession, path: Path, n_events: int, *, skew: bool = False) -> str:
    """Generate a log as Parquet: a function of the row number alone."""
    n_users, n_items = max(100, n_events // EVENTS_A_USER), max(1000, int(20 * n_events**0.45))
    robot_events = min(ROBOT_EVENTS, n_events // 10) if skew else 0

    def uniform(salt: int) -> Column:
        return F.pmod(F.xxhash64("id", F.lit(salt)), F.lit(1 << 40)) / float(1 << 40)

    item = F.floor(F.pow(uniform(1), 2.0) * n_items)
    user = F.floor(uniform(2) * n_users)
    if skew:
        is_robot = F.col("id") < robot_events
        visits_hub = F.col("id").between(robot_events, robot_events + HUB_FRACTION * n_users - 1)
        item = F.when(visits_hub, n_items).when(is_robot, F.col("id") % n_items).otherwise(item)
        user = (
            F.when(is_robot, n_users).when(visits_hub, F.col("id") - robot_events).otherwise(user)
        )
    second = (F.lit(AS_OF).cast("double") - uniform(3) * 60 * 86_400).cast("timestamp")
    events = spark.range(n_events).select(
        user.cast("string").alias("user_id"),
        item.cast("string").alias("item_id"),
        F.lit("view").alias("action"),
        second.alias("event_ts"),
        F.lit(None).cast("double").alias("value"),
        F.lit(None).cast("double").alias("dwell_seconds"),
    )
    events.write.mode("overwrite").parquet(str(path))
    return str(path)


def timed_build(spark: SparkSession, path: str) -> dict[str, float]:
    """Seconds, shuffled megabytes and edges of weigh, prune and project."""
    shuffled = shuffled_bytes(spark)
    seconds, (user_item, item_item) = timed(lambda: build(spark.read.parquet(path)))
    return {
        "seconds": seconds,
        "shuffled_mb": round((shuffled_bytes(spark) - shuffled) / 2**20, 1),
        "to_graph_edges": user_item,
        "item_item_edges": item_item,
    }


def build(events: DataFrame) -> tuple[int, int]:
    """Counts of user-item and item-item edges; both are computed in full."""
    config = GraphConfig(neighbours_per_item=NEIGHBOURS)
    with cache_scope(events.sparkSession) as keep:
        weighed = to_graph_edges(weigh_edges(events, as_of=AS_OF, config=config))
        kept = keep(prune_edges(weighed, as_of=AS_OF, config=config))
        return kept.count(), project(kept, config).count()


def shuffled_bytes(spark: SparkSession) -> int:
    """Bytes that all tasks so far wrote for shuffles."""
    executors = spark.sparkContext._jsc.sc().statusStore().executorList(False)
    return sum(executors.apply(n).totalShuffleWrite() for n in range(executors.size()))


def build_in_duckdb(path: str) -> int:
    """The same graph as one SQL query on two threads."""
    query = f"""
        WITH edges AS (
            SELECT user_id, item_id,
                sum(pow(0.5, (epoch(TIMESTAMP '2024-01-31') - epoch(event_ts)) / 86400 / 30))
                    AS weight
            FROM read_parquet('{path}/*.parquet') GROUP BY ALL),
        kept AS (
            SELECT *, count(*) OVER (PARTITION BY item_id) AS size FROM edges QUALIFY
                row_number() OVER (PARTITION BY user_id ORDER BY weight DESC, item_id) <= 500),
        pairs AS (
            SELECT a.item_id AS src, b.item_id AS dst,
                count(*) / sqrt(any_value(a.size)::DOUBLE * any_value(b.size)) AS weight
            FROM kept a JOIN kept b ON a.user_id = b.user_id AND a.item_id <> b.item_id
            GROUP BY 1, 2)
        SELECT count(*) FROM (SELECT src FROM pairs QUALIFY
            row_number() OVER (PARTITION BY src ORDER BY weight DESC, dst) <= {NEIGHBOURS})"""
    with duckdb.connect(config={"threads": 2, "memory_limit": "8GB"}) as connection:
        row = connection.execute(query).fetchone()
    return int(row[0]) if row else 0


def build_in_scipy(path: str) -> int:
    """The same graph by pandas and one product of sparse matrices, on one thread."""
    events = pd.read_parquet(path, columns=["user_id", "item_id", "event_ts"])
    age_days = (
        AS_OF.timestamp() - events["event_ts"].astype("datetime64[ns]").astype("int64") / 1e9
    ) / 86_400
    weights = (0.5 ** (age_days / 30.0)).groupby([events["user_id"], events["item_id"]]).sum()
    edges = (
        weights.rename("weight")
        .reset_index()
        .sort_values(["user_id", "weight"], ascending=[True, False])
    )
    kept = edges[edges.groupby("user_id").cumcount() < 500]
    user, item = pd.factorize(kept["user_id"])[0], pd.factorize(kept["item_id"], sort=True)[0]
    touched = sparse.csr_array((np.ones(len(kept), dtype=np.int32), (user, item)))
    shared = (touched.T @ touched).tocsr()
    shared.setdiag(0)
    shared.eliminate_zeros()
    return sum(len(best) for best in best_of_rows(shared, touched.sum(axis=0)))


def best_of_rows(shared: sparse.csr_array, sizes: np.ndarray) -> list[np.ndarray]:
    """Columns of each row's NEIGHBOURS highest cosines."""
    best = []
    for row in range(shared.shape[0]):
        start, end = shared.indptr[row], shared.indptr[row + 1]
        columns = shared.indices[start:end]
        cosine = shared.data[start:end] / np.sqrt(float(sizes[row]) * sizes[columns])
        best.append(columns[np.lexsort((columns, -cosine))[:NEIGHBOURS]])
    return best


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """Wall seconds and the result."""
    start = time.perf_counter()
    result = work()
    return round(time.perf_counter() - start, 2), result


if __name__ == "__main__":
    main()
