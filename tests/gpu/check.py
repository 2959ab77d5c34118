"""Checks and times the kernels of training on one GPU; the last line printed is one JSON object.

    python tests/gpu/check.py [--device gpu|cpu] [--users N] [--items N] [--edges N]

No Spark runs: what Spark's scheduler would assign to a task is stood in for, by the GPU's UUID. The
graph is random, with a few popular items. Ends with 1 where a check fails; each check is true in
the JSON object where it holds, times are in seconds, memory in MiB.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import torch


def assign(address: str | None) -> None:
    """Let Spark's TaskContext say that the task has the GPU of this address, or none."""
    try:
        import pyspark
    except ImportError:  # the kernels name its types and call nothing of it
        pyspark = ModuleType("pyspark")
        names = ("DataFrame", "SparkSession", "Row", "Column", "functions")
        sql = ModuleType("pyspark.sql")
        vars(sql).update(dict.fromkeys(names))
        sys.modules |= {"pyspark": pyspark, "pyspark.sql": sql}
    gpus = {} if address is None else {"gpu": SimpleNamespace(addresses=[address])}
    context = SimpleNamespace(resources=lambda: gpus)
    pyspark.TaskContext = SimpleNamespace(get=lambda: context)


def first_gpu() -> str:
    """The UUID of the first GPU, as nvidia-smi prints it."""
    command = ["nvidia-smi", "--query-gpu=uuid", "--format=csv,noheader"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()[0]


def random_graph(n_users: int, n_items: int, n_edges: int) -> dict[str, np.ndarray]:
    """A shard with all users; a twentieth of the pairs is held out."""
    rng = np.random.default_rng(0)
    items = (n_items * rng.random(n_edges) ** 2).astype(np.int64)  # the first ones are popular
    keys = np.unique(rng.integers(n_users, size=n_edges) * n_items + items)
    is_held_out = rng.random(len(keys)) < 0.05
    shard = {}
    for prefix, part in (("", keys[~is_held_out]), ("held_", keys[is_held_out])):
        shard[f"{prefix}indptr"] = np.searchsorted(part, np.arange(n_users + 1) * n_items)
        shard[f"{prefix}items"] = (part % n_items).astype(np.int32)
        shard[f"{prefix}weights"] = np.ones(len(part), dtype=np.float32)
    return shard


def timed(call: Callable[[], Any]) -> tuple[Any, float]:
    """The result, and the seconds until the device has it."""
    started = time.monotonic()
    result = call()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return result, round(time.monotonic() - started, 4)


def check_training(shard: dict[str, np.ndarray], n_items: int, gpu: str | None) -> dict[str, Any]:
    """One round of each loss on the device and, from the same state, on the CPU."""
    from interest_graph.train.kernels.losses import Objective
    from interest_graph.train.kernels.worker_epoch import (
        EpochPlan,
        report_of,
        start_shard,
        train_shard,
    )

    degrees = np.bincount(shard["items"], minlength=n_items).astype(np.float64)
    rng = np.random.default_rng(1)
    items = 0.1 * rng.standard_normal((n_items, 64), dtype=np.float32)
    plan = EpochPlan(3, 1, 8192, 0.005, 42, 0.1, 20, 2000, number=1)
    likeness = {"similarity": "cosine", "temperature": 0.12}
    plans = {
        "bpr": plan,
        "bpr_16": replace(plan, n_candidates=16),
        "softmax": replace(plan, objective=Objective("softmax", **likeness), n_negatives=2048),
        "bsl": replace(plan, objective=Objective("bsl", **likeness), negatives="in_batch"),
        "factors": replace(plan, n_layers=0, dropout=0.2),
    }
    found: dict[str, Any] = {}
    for name, chosen in plans.items():
        shared = {"items": items, "degrees": degrees}
        assign(gpu)
        state = start_shard(0, shard, shared, plan=chosen)
        shared["totals"] = state["own"]
        run = {**shard, **state}
        train_shard(0, run, shared, plan=replace(chosen, n_passes=0))  # starts the device
        train = partial(train_shard, 0, run, shared, plan=chosen)
        result, found[f"{name}_round_s"] = timed(train)
        report = report_of(result["log_0"])
        assign(None)
        on_cpu = report_of(train_shard(0, run, shared, plan=chosen)["log_0"])
        # Devices draw different numbers: losses agree as samples do, metrics as roundings do.
        found[f"{name}_loss"] = bool(abs(report["loss"] / on_cpu["loss"] - 1) < 0.02)
        found[f"{name}_ndcg"] = bool(abs(report["ndcg_sum"] - on_cpu["ndcg_sum"]) < 0.05)
        assign(gpu)
        steady = replace(chosen, deterministic=True)
        first, again = (train_shard(0, run, shared, plan=steady) for _ in range(2))
        found[f"{name}_repeats"] = all(np.array_equal(first[key], again[key]) for key in state)
    return found


def check_closed_forms(
    shard: dict[str, np.ndarray], n_items: int, gpu: str | None
) -> dict[str, Any]:
    """Products, the sharpened filter and EASE's inverse on the device and on the CPU."""
    from interest_graph.device import task_device
    from interest_graph.train.kernels.item_item import ease, graph_filter
    from interest_graph.train.kernels.sparse import csr, gram_product

    R, some = csr(shard, n_items), np.arange(min(n_items, 2000))
    Y = np.random.default_rng(2).standard_normal((n_items, 64), dtype=np.float32)
    filtered = {"keep": 100, "user": 1.0, "src": 0.5, "dst": 0.5, "sharpening": 2.5}
    ridge = {"keep": 100, "l2": 100.0, "item_exponent": 0.0}
    small = R[:, some].tocsr()
    calls = {
        "product": lambda: gram_product(R, Y, task_device()),
        "filter": lambda: graph_filter(R, some, **filtered).toarray(),
        "ease": lambda: ease(small, some, **ridge).toarray(),
    }
    found: dict[str, Any] = {}
    for name, call in calls.items():
        assign(gpu)
        call()
        there, found[f"{name}_s"] = timed(call)
        assign(None)
        here = call()
        found[name] = bool(np.abs(there - here).max() <= 1e-3 * np.abs(here).max())
    return found


def main() -> int:
    """Run all checks; returns 1 where one failed."""
    parser = argparse.ArgumentParser(description="Checks the kernels of training on one GPU.")
    parser.add_argument("--device", choices=["gpu", "cpu"], default="gpu")
    parser.add_argument("--users", type=int)
    parser.add_argument("--items", type=int)
    parser.add_argument("--edges", type=int)
    given = parser.parse_args()
    is_gpu = given.device == "gpu"
    gpu = first_gpu() if is_gpu else None
    torch.set_num_threads(1)  # as in a Spark task
    n_users = given.users or (30_000 if is_gpu else 300)
    n_items = given.items or (40_000 if is_gpu else 200)
    shard = random_graph(n_users, n_items, given.edges or (800_000 if is_gpu else 5_000))
    assign(gpu)
    from interest_graph.device import task_device

    device = task_device()
    found = {
        "device": torch.cuda.get_device_name() if is_gpu else device,
        "torch": torch.__version__,
    }
    found |= check_training(shard, n_items, gpu) | check_closed_forms(shard, n_items, gpu)
    if is_gpu:
        found["peak_mb"] = round(torch.cuda.max_memory_allocated() / 2**20)
    failed = [name for name, value in found.items() if value is False]
    print(json.dumps({**found, "failed": failed}))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
