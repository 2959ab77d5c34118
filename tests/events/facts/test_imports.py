"""The kernel runs in workers and tests without Spark."""

from __future__ import annotations

import subprocess
import sys

SCRIPT = """
import sys
import interest_graph.events.facts
print(sorted({name.split(".")[0] for name in sys.modules} & {"pyspark", "delta", "torch"}))
"""


def test_importing_the_kernel_imports_no_spark():
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == "[]"
