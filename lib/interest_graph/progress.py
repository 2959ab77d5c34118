"""Progress display of a run: a line for each phase, with a bar of Spark's tasks."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from pyspark.sql import SparkSession
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

console = Console(stderr=True)

_POLL_SECONDS = 0.5


@contextmanager
def phase(spark: SparkSession, title: str) -> Iterator[Callable[[str], None]]:
    """Show `title` with a bar of Spark's running tasks until the block ends.

    Yields a function that shows a text after the title, for example the number of the round.
    """
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    ended = threading.Event()
    with Progress(*columns, console=console, transient=True) as progress:
        bar = progress.add_task(title, total=None)
        watcher = threading.Thread(
            target=_watch, args=(spark, progress, bar, ended), daemon=True, name="progress"
        )
        watcher.start()
        try:
            yield lambda text: progress.update(bar, description=f"{title}: {text}")
        finally:
            ended.set()
            watcher.join()


def _watch(spark: SparkSession, progress: Progress, bar: TaskID, ended: threading.Event) -> None:
    tracker = spark.sparkContext.statusTracker()
    while not ended.wait(_POLL_SECONDS):
        stages = [tracker.getStageInfo(stage) for stage in tracker.getActiveStageIds()]
        running = [stage for stage in stages if stage is not None]
        total = sum(stage.numTasks for stage in running)
        done = sum(stage.numCompletedTasks for stage in running)
        progress.update(bar, total=total or None, completed=done)
