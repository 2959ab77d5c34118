"""Peak resident memory of this run's processes on the driver host."""

from __future__ import annotations

import threading
from types import TracebackType

import psutil

_INTERVAL_SECONDS = 0.5


class PeakMemory:
    """Samples the process tree (Python, JVM, workers) while the block runs.

    `megabytes` is the highest sum of resident set sizes seen; shared pages count once a process.
    """

    def __init__(self) -> None:
        self.megabytes = 0.0
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
            self.megabytes = max(self.megabytes, _resident_bytes(root) / 2**20)
            if self._ended.wait(_INTERVAL_SECONDS):
                return


def _tree_root() -> psutil.Process:
    """spark-submit's JVM starts Python and is its parent; otherwise Python starts the JVM."""
    me = psutil.Process()
    parent = me.parent()
    return parent if parent is not None and parent.name() == "java" else me


def _resident_bytes(root: psutil.Process) -> int:
    total = 0
    for process in [root, *root.children(recursive=True)]:
        try:
            total += process.memory_info().rss
        except psutil.NoSuchProcess:  # a worker that ended since the listing
            continue
    return total
