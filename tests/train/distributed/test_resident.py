"""Resident workers give what rounds as Spark jobs give, and say clearly when they cannot go on."""

from __future__ import annotations

import json

import numpy as np
import pytest
from tests.train.small_run import fit_small

from interest_graph.config import TrainConfig
from interest_graph.errors import ConfigError, TrainingError
from interest_graph.train.distributed import trainer
from interest_graph.train.distributed.slots import resident_tasks
from interest_graph.train.kernels.worker_epoch import KeptShard


@pytest.mark.parametrize("n_shards", [1, 3])
def test_resident_workers_equal_rounds(spark, tmp_path, n_shards):
    """Three shards have two workers here; the best round of five is not the last."""
    fitted, recorded = {}, {}
    for exchange in ("rounds", "resident"):
        work_dir = tmp_path / exchange
        changes = {"n_shards": n_shards, "exchange": exchange, "learning_rate": 0.05}
        fitted[exchange] = fit_small(spark, str(work_dir), **changes)
        recorded[exchange] = json.loads((work_dir / "progress.json").read_text())

    for name, expected in fitted["rounds"].items():
        np.testing.assert_allclose(fitted["resident"][name], expected, atol=1e-6)
    for name in ("last", "metrics"):
        assert recorded["resident"][name] == recorded["rounds"][name]


def test_workers_that_fail_for_good_are_one_clear_error(spark, tmp_path, monkeypatch):
    class Broken(KeptShard):
        def train(self, plan):
            raise MemoryError(f"no room for round {plan.number}")

    monkeypatch.setattr(trainer, "KeptShard", Broken)

    with pytest.raises(
        TrainingError, match=r"resident workers failed, .* 4 times by: MemoryError: no room"
    ) as told:
        fit_small(spark, str(tmp_path / "run"), exchange="resident")

    assert "\n" not in str(told.value)


def test_there_are_never_more_workers_than_slots_or_shards(spark):
    assert [resident_tasks(spark, n, "auto") for n in (1, 2, 5)] == [1, 2, 2]
    assert resident_tasks(spark, 2, "rounds") is None


def test_dynamic_allocation_takes_rounds(spark, monkeypatch):
    settings = {**dict(spark.sparkContext.getConf().getAll())}
    settings["spark.dynamicAllocation.enabled"] = "true"
    monkeypatch.setattr(type(spark.sparkContext), "getConf", lambda _: settings)

    assert resident_tasks(spark, 2, "auto") is None
    with pytest.raises(ConfigError, match=r"train.exchange: resident needs"):
        resident_tasks(spark, 2, "resident")


def test_workers_that_must_encrypt_take_rounds_unless_told(spark, monkeypatch):
    settings = {"spark.network.crypto.enabled": "true"}
    monkeypatch.setattr(type(spark.sparkContext), "getConf", lambda _: settings)
    monkeypatch.setattr(spark.sparkContext, "master", "spark://host:7077")

    assert resident_tasks(spark, 2, "auto") is None
    assert resident_tasks(spark, 2, "resident") == 2


def test_the_way_of_exchange_decides_no_result():
    ways = [TrainConfig(exchange="rounds"), TrainConfig(checkpoint_seconds=5)]

    assert all(way.decisive() == TrainConfig().decisive() for way in ways)
