#!/usr/bin/env bash
# Checks and times the kernels of training on this machine's first GPU, in 8 minutes at most; the
# last line of the output is one JSON object. Needs a Python with torch for CUDA, NumPy and SciPy.
#     tests/gpu/check.sh                 # PYTHON=... chooses the interpreter
#     tests/gpu/check.sh --device cpu    # the same code on a small graph, without a GPU
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
export PYTHONPATH="$root/lib${PYTHONPATH:+:$PYTHONPATH}"
exec timeout 480 "${PYTHON:-python3}" "$root/tests/gpu/check.py" "$@"
