"""The report of the partition, and the refusal of shards that do not fit a worker."""

from __future__ import annotations

import pytest
from tests.train.graphs import EDGES

from interest_graph.errors import ConfigError
from interest_graph.train.balance import Balance, ShardSize, measure_balance
from interest_graph.train.shard import shard_graph

TWO = Balance((ShardSize(0, 10, 300, 40), ShardSize(1, 10, 100, 20)), n_items=50)


def test_replication_and_imbalance():
    assert TWO.replication == pytest.approx(60 / 50)
    assert TWO.imbalance == pytest.approx(1.5)


def test_memory_grows_with_each_part():
    small = TWO.worker_mb(TWO.shards[1], dimension=64, n_layers=3)
    more_edges = TWO.worker_mb(ShardSize(1, 10, 10**7, 20), dimension=64, n_layers=3)
    more_users = TWO.worker_mb(ShardSize(1, 10**6, 100, 20), dimension=64, n_layers=3)

    assert more_edges > small + 10**7 * 8 / 2**20
    assert more_users > small + 10**6 * 64 * 4 * 3 / 2**20


def test_a_shard_that_does_not_fit_is_refused_before_training():
    big = Balance((ShardSize(0, 5, 10, 5), ShardSize(1, 10**7, 10**9, 5)), n_items=5)

    with pytest.raises(
        ConfigError, match=r"train.worker_mb: shard 1 needs about \d+ MB of the 4096"
    ):
        big.require_memory(4096, dimension=64, n_layers=3)
    TWO.require_memory(4096, dimension=64, n_layers=3)


def test_shards_are_counted(spark):
    rows = [(f"u{u}", f"i{i}", 1.0) for u in range(8) for i in range(u + 1)]
    graph = shard_graph(spark.createDataFrame(rows, EDGES), 2)

    balance = measure_balance(graph)

    assert [shard.shard_id for shard in balance.shards] == [0, 1]
    assert sum(shard.n_users for shard in balance.shards) == 8
    assert sum(shard.n_edges for shard in balance.shards) == 36
    assert max(shard.n_items for shard in balance.shards) == 8
