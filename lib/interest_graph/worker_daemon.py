"""The process that forks Spark's Python workers on one machine: `spark.python.daemon.module`.

It imports what every worker needs, so that the workers have it from the start and share its memory.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module
from zipimport import zipimporter

from pyspark import daemon

from interest_graph.events.kernel_frames import import_kernels


def main() -> None:
    """Import, then fork workers until Spark closes the connection."""
    import_module("pyspark.worker")
    import_kernels()  # without threads, which a fork would lose
    _keep_directories_of_archives()
    serve: Callable[[], None] = daemon.manager
    serve()


def _keep_directories_of_archives() -> None:
    """Spare workers reading the directories of Spark's own archives again for every task.

    A worker forgets all import caches before each task, and Python then reads an archive's
    directory at once (0.2 s for both of Spark's). Archives that are added later are not meant.
    """
    for finder in sys.path_importer_cache.values():
        if isinstance(finder, zipimporter):
            finder.__dict__["invalidate_caches"] = lambda: None


if __name__ == "__main__":
    main()
