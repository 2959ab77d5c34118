"""Peak resident memory of the processes of a run on the driver's host."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from types import TracebackType

import psutil

_INTERVAL_SECONDS = 0.5


class PeakMemory:
    """Context manager that samples the memory of the process tree (Python, JVM, workers).

    peak_mb: highest sum of resident set sizes, in MiB; pages shared by processes count for each.
    worker_mb: highest resident set size of a single Python worker, in MiB.
    """

    def __init__(self) -> None:
        self.peak_mb = self.worker_mb = 0.0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True, name="peak-memory")

    def __enter__(self) -> PeakMemory:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._thread.join()

    def _sample(self) -> None:
        root = _tree_root()
        while True:
            seen = list(_resident(root))
            self.peak_mb = max(self.peak_mb, sum(size for _, size in seen))
            workers = [size for is_worker, size in seen if is_worker]
            self.worker_mb = max(self.worker_mb, *workers, 0.0)
            if self._ended.wait(_INTERVAL_SECONDS):
                return


def _tree_root() -> psutil.Process:
    """Root of the process tree: the JVM of spark-submit if that started Python, else Python."""
    me = psutil.Process()
    parent = me.parent()
    return parent if parent is not None and parent.name() == "java" else me


def _resident(root: psutil.Process) -> Iterator[tuple[bool, float]]:
    """For each process of the tree: whether it is a Python worker, and its resident set in MiB."""
    for process in [root, *root.children(recursive=True)]:
        try:
            is_worker = process.pid != os.getpid() and process.name().startswith("python")
            yield is_worker, process.memory_info().rss / 2**20
        except psutil.NoSuchProcess:  # a worker that ended since the listing
            continue
