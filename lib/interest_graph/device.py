"""Device (CPU or GPU) of a worker's task, its memory, and repeatable sums on it."""

from __future__ import annotations

import ctypes
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from interest_graph.errors import EnvironmentProblem, TrainingError

_VISIBLE = "CUDA_VISIBLE_DEVICES"
# What nvidia-smi -L prints as the UUID of a GPU, or of a part of one (MIG); parts of older drivers
# are MIG-GPU-<uuid>/<instance>/<instance>.
_UUID = re.compile(r"(GPU|MIG)-[0-9A-Za-z-]+(/\d+/\d+)?")


def task_device() -> str:
    """Torch's name for the GPU that Spark assigned to this task, else "cpu".

    Spark's resource scheduling gives each task the addresses of its GPUs, if
    spark.task.resource.gpu.amount is set; see conf/spark/gpu.conf. An address is a number or the
    UUID of a GPU or of a part of one (MIG), as the discovery script prints it. Raises
    EnvironmentProblem when torch cannot use the assigned GPU, instead of computing on the CPU
    unnoticed.
    """
    from pyspark import TaskContext

    context = TaskContext.get()
    gpus = context.resources().get("gpu") if context is not None else None
    if not gpus:
        return "cpu"
    address = gpus.addresses[0]
    device = f"cuda:{_number_of(address)}"
    _require_cuda(device, address)
    return device


@contextmanager
def several_threads(n: int) -> Iterator[None]:
    """Let torch and BLAS use n threads within the block, in place of Spark's one for a task.

    For a task that runs alone, so that the other cores of its worker are idle.
    """
    import torch
    from threadpoolctl import threadpool_limits

    before = torch.get_num_threads()
    torch.set_num_threads(n)
    try:
        with threadpool_limits(n):
            yield
    finally:
        torch.set_num_threads(before)


def _number_of(address: str) -> int:
    """The number under which torch finds the GPU of this address in this process.

    Torch counts the GPUs that CUDA_VISIBLE_DEVICES lists. A UUID is made the only entry, unless it
    is in the list already: CUDA reads the list once in the life of a process.
    """
    import torch

    if address.isdecimal():
        return int(address)
    if not _UUID.fullmatch(address):
        raise EnvironmentProblem(
            f"Spark assigned the GPU {address!r} to the task, which is neither a number nor the "
            "UUID of a GPU or MIG device: see spark.executor.resource.gpu.discoveryScript"
        )
    visible = os.environ.get(_VISIBLE, "").split(",")
    if address in visible:
        return visible.index(address)
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        raise EnvironmentProblem(
            f"Spark assigned the GPU {address} to the task, but this worker has started CUDA on "
            f"{os.environ.get(_VISIBLE) or 'all GPUs'}: use executors with one GPU each, or a "
            "discovery script that prints numbers"
        )
    os.environ[_VISIBLE] = address
    return 0


def _require_cuda(device: str, address: str) -> None:
    import torch

    n_devices = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if int(device.removeprefix("cuda:")) >= n_devices:
        name = device if address.isdecimal() else address
        raise EnvironmentProblem(
            f"Spark assigned {name} to the task, but torch {torch.__version__} finds {n_devices} "
            "CUDA devices: install torch for CUDA on the workers, or leave "
            "spark.task.resource.gpu.amount unset to train on the CPU"
        )


@contextmanager
def naming_out_of_memory(shard_id: int | None = None) -> Iterator[None]:
    """In the block, a GPU that runs out of memory is a TrainingError with the shard and the GPU."""
    import torch

    try:
        yield
    except torch.OutOfMemoryError as error:
        hint = _WHOLE_GRAPH_HINT if shard_id is None else _SHARD_HINT
        raise TrainingError(f"{_out_of_memory()}: {hint} {_SHARING_HINT}", shard_id) from error


_SHARD_HINT = (
    "raise train.n_shards, or lower train.worker_mb (with n_shards null), train.batch_size or "
    "train.n_negatives,"
)
_WHOLE_GRAPH_HINT = "choose a model that needs less memory,"
_SHARING_HINT = "or let fewer tasks share a GPU (spark.task.resource.gpu.amount)"


def _out_of_memory() -> str:
    import torch

    if not torch.cuda.is_available():
        return "out of memory"
    free, total = (n_bytes / 2**20 for n_bytes in torch.cuda.mem_get_info())
    held = torch.cuda.memory_reserved() / 2**20
    return (
        f"{torch.cuda.get_device_name()} has no memory left: {total:,.0f} MB, of which this worker "
        f"holds {held:,.0f} and {free:,.0f} are free"
    )


@contextmanager
def repeatable(is_on: bool) -> Iterator[None]:
    """In the block, if is_on, torch adds in an order that does not change from run to run.

    On the CPU it always does; on a GPU the fast sums use atomic additions, in any order.
    """
    import torch

    before = torch.are_deterministic_algorithms_enabled()
    warned = torch.is_deterministic_algorithms_warn_only_enabled()
    if is_on:  # cuBLAS asks for this variable, and reads it when it starts
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before, warn_only=warned)


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
