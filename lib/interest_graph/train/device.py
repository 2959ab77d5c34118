"""Where a shard is trained."""

from __future__ import annotations

from interest_graph.device import task_device
from interest_graph.errors import EnvironmentProblem, TrainingError


def device_of_shard(shard_id: int) -> str:
    """`task_device`, where an error names the shard."""
    try:
        return task_device()
    except EnvironmentProblem as problem:
        raise TrainingError(str(problem), shard_id) from problem
