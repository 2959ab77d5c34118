"""A small training run in its own process: `killable_run.py WORK_DIR`.

In round 2 the first attempts fail once their work is done, but before it is handed over: shard 0's
worker kills itself, as for want of memory, and shard 1's task raises. Each leaves a note,
WORK_DIR.killed and WORK_DIR.raised.
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

train_shard = trainer.train_shard


def main(work_dir: str) -> None:
    settings = {
        "spark.master": "local[2,3]",  # a task is tried three times
        "spark.driver.memory": "1g",
        "spark.sql.shuffle.partitions": "2",
        "spark.local.dir": f"{work_dir}.local",
    }

    def fail_first(shard_id, shard, shared, *, plan):
        """train_shard, of which the first attempt in round 2 is lost."""
        trained = train_shard(shard_id, shard, shared, plan=plan)
        if plan.number == 2 and TaskContext.get().attemptNumber() == 0:
            note = "killed" if shard_id == 0 else "raised"
            Path(f"{work_dir}.{note}").write_text(f"round {plan.number}")
            if note == "killed":
                os.kill(os.getpid(), signal.SIGKILL)
            raise RuntimeError("lost on purpose")
        return trained

    trainer.train_shard = fail_first
    fit_small(open_session("killable", settings=settings), work_dir)


if __name__ == "__main__":
    main(*sys.argv[1:])
