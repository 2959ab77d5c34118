"""Where a worker computes."""

from __future__ import annotations


def task_device() -> str:
    """The GPU that Spark assigned to this task, else the CPU.

    Spark's custom resource scheduling gives each task the addresses it may use
    (spark.task.resource.gpu.amount); see conf/spark/gpu.conf.
    """
    from pyspark import TaskContext

    context = TaskContext.get()
    gpus = context.resources().get("gpu") if context is not None else None
    return f"cuda:{gpus.addresses[0]}" if gpus else "cpu"
