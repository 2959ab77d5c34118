"""A daemon of Spark's Python workers in which one map and one reduce task kill their worker.

KILL_ONCE names a folder; each kind of task is killed once, after its first output.
"""

from __future__ import annotations

import functools
import os
import signal
from pathlib import Path

from interest_graph import worker_daemon
from interest_graph.events import ingest_task, reduce_task


def killed_once(work):
    """The kernel, whose worker dies behind its first row the first time."""

    @functools.wraps(work)
    def wrapped(*arguments, **settings):
        for row in work(*arguments, **settings):
            yield row
            try:
                Path(os.environ["KILL_ONCE"], work.__name__).touch(exist_ok=False)
            except FileExistsError:
                continue
            os.kill(os.getpid(), signal.SIGKILL)

    return wrapped


if __name__ == "__main__":
    for module, name in ((ingest_task, "take_in"), (reduce_task, "reduce_rows")):
        setattr(module, name, killed_once(getattr(module, name)))
    worker_daemon.main()
