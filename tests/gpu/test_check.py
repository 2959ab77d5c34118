"""The script for a GPU runs, and its checks hold, where there is none."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path


def test_the_checks_hold_on_the_cpu():
    script = Path(__file__).with_name("check.sh")
    done = subprocess.run(
        [script, "--device", "cpu"],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHON": sys.executable},
    )

    assert done.returncode == 0, done.stdout + done.stderr[-2000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["device"] == "cpu"
    assert found["failed"] == []
    assert {"bsl_repeats", "bsl_loss", "factors_ndcg", "filter", "ease"} <= found.keys()
