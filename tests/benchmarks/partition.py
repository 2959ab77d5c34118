"""What shards share, by hash and by community, on a folder in LightGCN's format.

    python -m tests.benchmarks.partition --data FOLDER [--shards 4 16]

FOLDER holds train.txt.gz: `user item item ...` a line. Prints one JSON object a partition.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

from pyspark.sql import functions as F
from tests.benchmarks.train import SETTINGS, read_pairs

from interest_graph.config import TrainConfig
from interest_graph.session import open_session
from interest_graph.train.sharding.memory_model import training_costs
from interest_graph.train.sharding.partition import partition
from interest_graph.train.sharding.report import report_partition


def main() -> None:
    """Cut the graph both ways into each number of shards."""
    parser = argparse.ArgumentParser(description="What shards share.")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--shards", type=int, nargs="+", default=[4, 16])
    arguments = parser.parse_args()
    spark = open_session("benchmark", settings=SETTINGS)
    pairs = read_pairs(spark, arguments.data / "train.txt.gz")
    edges = pairs.withColumn("weight", F.lit(1.0)).repartition(4, "user_id").cache()
    edges.count()
    for n_shards in arguments.shards:
        for sharding in ("hash", "community"):
            config = TrainConfig(n_shards=n_shards, sharding=sharding)
            costs = training_costs(config.dimension, config.n_layers)
            started = time.monotonic()
            graph = partition(edges, None, config, costs)
            seconds = time.monotonic() - started
            balance = report_partition(graph, costs)
            graph.release()
            found = {
                "shards": n_shards,
                "sharding": sharding,
                "replication": round(balance.replication, 3),
                "shared_edges": round(balance.shared_edges, 3),
                "imbalance": round(balance.imbalance, 3),
                "seconds": round(seconds, 1),
            }
            print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main()
