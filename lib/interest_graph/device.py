"""Device (CPU or GPU) of a worker's task, and its memory allocator's settings for training."""

from __future__ import annotations

import ctypes
from functools import cache

from interest_graph.errors import EnvironmentProblem, TrainingError


def task_device() -> str:
    """Torch's name for the GPU that Spark assigned to this task, else "cpu".

    Spark's resource scheduling gives each task the addresses of its GPUs, if
    spark.task.resource.gpu.amount is set; see conf/spark/gpu.conf. Raises EnvironmentProblem when
    torch cannot use the assigned GPU, instead of computing on the CPU unnoticed.
    """
    from pyspark import TaskContext

    context = TaskContext.get()
    gpus = context.resources().get("gpu") if context is not None else None
    if not gpus:
        return "cpu"
    device = f"cuda:{gpus.addresses[0]}"
    _require_cuda(device)
    return device


def _require_cuda(device: str) -> None:
    import torch

    n_devices = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if int(device.removeprefix("cuda:")) >= n_devices:
        raise EnvironmentProblem(
            f"Spark assigned {device} to the task, but torch {torch.__version__} finds {n_devices} "
            "CUDA devices: install torch for CUDA on the workers, or leave "
            "spark.task.resource.gpu.amount unset to train on the CPU"
        )


def device_of_shard(shard_id: int) -> str:
    """`task_device`, but raises TrainingError with the shard_id."""
    try:
        return task_device()
    except EnvironmentProblem as problem:
        raise TrainingError(str(problem), shard_id) from problem


# Parameters of mallopt in the GNU C library's malloc.h.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_NEVER = 2**31 - 1


@cache
def keep_freed_memory() -> None:
    """Make malloc keep the memory of freed large arrays for reuse in this process.

    An optimiser step allocates and frees dozens of arrays of tens of MB. By default glibc maps each
    anew and the kernel clears its pages, which took a quarter of a step. The peak memory is the
    same, but it is held until the worker ends. Does nothing with other C libraries than glibc.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_MMAP_THRESHOLD, _NEVER)
        mallopt(_TRIM_THRESHOLD, _NEVER)
