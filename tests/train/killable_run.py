"""A small training run in its own process: `killable_run.py WORK_DIR`.

The first attempt of every shard's task in round 2 fails, as on a lost executor, and leaves the note
WORK_DIR.lost.
"""

from __future__ import annotations

import sys
from pathlib import Path

from pyspark import TaskContext
from tests.train.small_run import fit_small

from interest_graph.session import open_session
from interest_graph.train import loop

train_shard = loop.train_shard


def main(work_dir: str) -> None:
    settings = {
        "spark.master": "local[2,3]",
        "spark.driver.memory": "1g",
        "spark.sql.shuffle.partitions": "2",
        "spark.local.dir": f"{work_dir}.local",
    }

    def fail_first(shard_id, shard, shared, *, plan):
        """train_shard, unless this is the first attempt in round 2."""
        if plan.number == 2 and TaskContext.get().attemptNumber() == 0:
            Path(f"{work_dir}.lost").write_text(f"round {plan.number}")
            raise RuntimeError("lost on purpose")
        return train_shard(shard_id, shard, shared, plan=plan)

    loop.train_shard = fail_first
    fit_small(open_session("killable", settings=settings), work_dir)


if __name__ == "__main__":
    main(*sys.argv[1:])
