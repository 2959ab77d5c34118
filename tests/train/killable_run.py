"""A small training run in its own process: `killable_run.py WORK_DIR EXCHANGE`.

In round 2 the first attempts fail once their work is done, but before it is handed over: shard 0's
worker kills itself, as for want of memory, and shard 1's task raises. Each leaves a note,
WORK_DIR.killed and WORK_DIR.raised. Resident workers store every round.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from pyspark import TaskContext
from tests.train.small_run import fit_small

from interest_graph.session import open_session
from interest_graph.train.distributed import trainer
from interest_graph.train.kernels.worker_epoch import KeptShard

train_shard = trainer.train_shard


def main(work_dir: str, exchange: str) -> None:
    settings = {
        "spark.master": "local[2,3]",  # a task is tried three times
        "spark.driver.memory": "1g",
        "spark.sql.shuffle.partitions": "2",
        "spark.local.dir": f"{work_dir}.local",
    }

    def lose(kind):
        Path(f"{work_dir}.{kind}").write_text("round 2")
        if kind == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        raise RuntimeError("lost on purpose")

    def fail_first(shard_id, shard, shared, *, plan):
        """train_shard, of which the first attempt in round 2 is lost."""
        trained = train_shard(shard_id, shard, shared, plan=plan)
        if plan.number == 2 and TaskContext.get().attemptNumber() == 0:
            lose("killed" if shard_id == 0 else "raised")
        return trained

    class Failing(KeptShard):
        """Of a barrier stage all tasks are tried again: shard 1's fails when shard 0's has."""

        def __init__(self, *args):
            super().__init__(*args)
            self.fails = [Path(f"{work_dir}.{kind}").exists() for kind in ("killed", "raised")]

        def train(self, plan):
            super().train(plan)
            if plan.number == 2 and self.fails == [bool(self.shard_id), False]:
                lose("raised" if self.shard_id else "killed")

    trainer.train_shard, trainer.KeptShard = fail_first, Failing
    spark = open_session("killable", settings=settings)
    fit_small(spark, work_dir, exchange=exchange, checkpoint_seconds=1e-3)


if __name__ == "__main__":
    main(*sys.argv[1:])
