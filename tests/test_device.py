"""Which GPU a task uses, without a GPU: Spark's assignment and torch's view are stood in for."""

from __future__ import annotations

import os
from types import SimpleNamespace

import pytest
import torch
from pyspark import TaskContext

from interest_graph.device import naming_out_of_memory, repeatable, task_device
from interest_graph.errors import EnvironmentProblem, TrainingError

UUID = "GPU-8f6c2a3e-1b2d-4c5e-9f00-0123456789ab"
MIG = "MIG-2b8a7c1d-6e5f-5a4b-8c3d-ba9876543210"


@pytest.fixture
def assigned(monkeypatch):
    """Function that makes Spark assign an address, on a host where torch sees n_gpus."""

    def assign(address, n_gpus, *, visible=None, is_started=False):
        gpus = {"gpu": SimpleNamespace(name="gpu", addresses=[address])}
        context = SimpleNamespace(resources=lambda: gpus)
        monkeypatch.setattr(TaskContext, "get", classmethod(lambda _: context))
        monkeypatch.setattr(torch.cuda, "is_available", lambda: n_gpus > 0)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: n_gpus)
        monkeypatch.setattr(torch.cuda, "is_initialized", lambda: is_started)
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible or "")
        if visible is None:
            monkeypatch.delenv("CUDA_VISIBLE_DEVICES")

    return assign


def test_a_task_without_a_gpu_uses_the_cpu():
    assert task_device() == "cpu"


def test_a_number_is_torchs_own(assigned):
    assigned("1", 2)

    assert task_device() == "cuda:1"
    assert "CUDA_VISIBLE_DEVICES" not in os.environ


@pytest.mark.parametrize("address", [UUID, MIG, f"MIG-{UUID}/7/0"])
def test_a_uuid_becomes_the_only_gpu_that_cuda_shows(assigned, address):
    assigned(address, 1)

    assert task_device() == "cuda:0"
    assert os.environ["CUDA_VISIBLE_DEVICES"] == address


def test_a_uuid_that_cuda_shows_keeps_its_place(assigned):
    assigned(UUID, 2, visible=f"{MIG},{UUID}", is_started=True)

    assert task_device() == "cuda:1"


def test_a_worker_that_started_cuda_elsewhere_says_so(assigned):
    assigned(UUID, 1, visible=MIG, is_started=True)

    with pytest.raises(EnvironmentProblem, match=f"{UUID} .* started CUDA on {MIG}"):
        task_device()


@pytest.mark.parametrize("address", ["cuda:0", "0000:3b:00.0", "GPU-1,GPU-2", "-1"])
def test_another_address_is_refused(assigned, address):
    assigned(address, 4)

    with pytest.raises(EnvironmentProblem, match="neither a number nor the UUID"):
        task_device()


@pytest.mark.parametrize(("address", "name"), [("3", "cuda:3"), (UUID, UUID)])
def test_a_gpu_that_torch_does_not_find_is_named(assigned, address, name):
    assigned(address, 0)

    with pytest.raises(EnvironmentProblem, match=f"assigned {name} to the task, but torch"):
        task_device()


def test_a_gpu_without_memory_left_names_the_shard_and_what_helps():
    words = r"^shard 3: .*memory.*train\.n_shards"
    with pytest.raises(TrainingError, match=words) as raised, naming_out_of_memory(3):
        raise torch.OutOfMemoryError("CUDA out of memory")

    assert raised.value.shard_id == 3


def test_repeatable_sums_end_with_the_block():
    with repeatable(True):
        assert torch.are_deterministic_algorithms_enabled()
    assert not torch.are_deterministic_algorithms_enabled()
    with repeatable(False):
        assert not torch.are_deterministic_algorithms_enabled()
