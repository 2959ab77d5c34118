#!/usr/bin/env bash
# Lists this host's GPUs in the form that Spark's resource scheduling reads.
set -euo pipefail
indices=$(nvidia-smi --query-gpu=index --format=csv,noheader)
quoted=$(printf '"%s",' $indices)
echo "{\"name\": \"gpu\", \"addresses\": [${quoted%,}]}"
