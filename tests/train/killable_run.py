"""A small training run in its own process: `killable_run.py WORK_DIR MASTER [sabotage]`.

With `sabotage` the first attempt of every shard's task in round 2 fails, as on a lost executor.
Saves the vectors as WORK_DIR.safetensors.
"""

from __future__ import annotations

import sys

from pyspark import TaskContext
from tests.train.small_run import fit_small

from interest_graph.arrays import save_arrays
from interest_graph.session import open_session
from interest_graph.train import loop

train_shard = loop.train_shard


def fail_first(shard_id, shard, shared, *, plan):
    """train_shard, unless this is the first attempt in round 2."""
    if plan.number == 2 and TaskContext.get().attemptNumber() == 0:
        raise RuntimeError("lost on purpose")
    return train_shard(shard_id, shard, shared, plan=plan)


def main(work_dir: str, master: str, *mode: str) -> None:
    settings = {
        "spark.master": master,
        "spark.driver.memory": "1g",
        "spark.sql.shuffle.partitions": "2",
        "spark.local.dir": f"{work_dir}.local",
    }
    if "sabotage" in mode:
        loop.train_shard = fail_first
    spark = open_session("killable", settings=settings)
    save_arrays(f"{work_dir}.safetensors", fit_small(spark, work_dir))
    spark.stop()


if __name__ == "__main__":
    main(*sys.argv[1:])
