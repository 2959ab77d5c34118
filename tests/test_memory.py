"""Peak memory is that of the whole process tree, and of its largest worker."""

from __future__ import annotations

import subprocess
import sys

WORKER = "content = bytes([1]) * (80 << 20); print(flush=True); input()"
DRIVER = """
import subprocess, sys
from interest_graph.memory import PeakMemory

command = [sys.executable, "-c", sys.argv[1]]
with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as worker:
    worker.stdout.readline()
    with PeakMemory() as memory:
        pass  # a sample is taken at once
    worker.communicate(b"end")
print(memory.worker_mb, memory.peak_mb)
"""


def test_the_largest_worker_is_told_from_the_whole_tree():
    """In a process of its own: this one may have Spark's workers."""
    command = [sys.executable, "-c", DRIVER, WORKER]
    done = subprocess.run(command, capture_output=True, text=True, check=True)

    worker, whole = map(float, done.stdout.split())
    assert 80 < worker < 120
    assert whole > worker + 10
