#!/usr/bin/env bash
# Lists this host's GPUs in the form that Spark's resource scheduling reads: their numbers, or where
# GPUs are split (MIG) the UUIDs of the parts, by which alone CUDA finds them.
set -euo pipefail
found=$(nvidia-smi -L | grep -o 'MIG-[^)]*' || true)
if [[ -z $found ]]; then
  found=$(nvidia-smi --query-gpu=index --format=csv,noheader)
fi
quoted=$(printf '"%s",' $found)
echo "{\"name\": \"gpu\", \"addresses\": [${quoted%,}]}"
