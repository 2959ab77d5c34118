"""Where a worker computes: the GPU that Spark assigned to its task, or the CPU."""

from __future__ import annotations

from interest_graph.errors import EnvironmentProblem


def task_device() -> str:
    """Torch's name for the GPU that Spark assigned to this task, else "cpu".

    Spark's custom resource scheduling gives each task the addresses it may use
    (spark.task.resource.gpu.amount); see conf/spark/gpu.conf. Raises EnvironmentProblem when torch
    cannot use what was assigned: a GPU that is paid for must not stand idle unnoticed.
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
