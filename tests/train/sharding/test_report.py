"""The report of the partition, and the refusal of shards that do not fit a worker."""

from __future__ import annotations

import pytest
from tests.train.graphs import COSTS, EDGES, sharded

from interest_graph.config import TrainConfig
from interest_graph.errors import ConfigError
from interest_graph.train.sharding.report import (
    PARTITION_COLUMNS,
    PartitionReport,
    ShardSize,
    partition_frame,
    report_partition,
)

TWO = PartitionReport(
    (ShardSize(0, 10, 300, 40), ShardSize(1, 10, 100, 20)), n_items=50, costs=COSTS
)


def test_replication_and_imbalance():
    sizes = [COSTS.shard_bytes(10, n_edges) for n_edges in (300, 100)]

    assert TWO.replication == pytest.approx(60 / 50)
    assert TWO.imbalance == pytest.approx(sizes[0] / (sum(sizes) / 2))


def test_a_shard_that_does_not_fit_is_refused_before_training():
    shards = (ShardSize(0, 5, 10, 5), ShardSize(1, 10**7, 10**9, 5))
    big = PartitionReport(shards, n_items=5, costs=COSTS)

    with pytest.raises(
        ConfigError, match=r"train.worker_mb: shard 1 needs about \d+ MB of the 4096"
    ):
        big.require_memory(4096)
    TWO.require_memory(4096)


def test_resident_workers_need_memory_for_all_their_shards():
    """A worker takes 840 MB with one of the shards, 930 with two."""
    shards = tuple(ShardSize(shard, 20_000, 10**6, 5) for shard in range(4))
    report = PartitionReport(shards, n_items=5, costs=COSTS)
    config = TrainConfig(worker_mb=900)

    assert [report.within_memory(n, config) for n in (None, 4, 3, 2)] == [None, 4, None, None]
    with pytest.raises(ConfigError, match=r"train.worker_mb: a resident worker needs .* 900 MB"):
        report.within_memory(2, config.model_copy(update={"exchange": "resident"}))


def test_shards_are_counted(spark):
    rows = [(f"u{u}", f"i{i}", 1.0) for u in range(8) for i in range(u + 1)]
    graph = sharded(spark.createDataFrame([*rows, ("u8", "own", 1.0)], EDGES), 2)

    report = report_partition(graph, COSTS)
    whole, *shards = partition_frame(graph, report).orderBy("shard_id").collect()

    assert [shard.shard_id for shard in shards] == [0, 1]
    assert sum(shard.n_users for shard in shards) == whole.n_users == 9
    assert sum(shard.n_edges for shard in shards) == whole.n_edges == 37
    assert whole.n_items == 9
    assert report.replication == sum(shard.n_items for shard in shards) / 9 > 1
    assert whole.expected_mb == max(shard.expected_mb for shard in shards)
    assert whole.imbalance == max(shard.imbalance for shard in shards)


def test_shared_edges_and_hubs_are_known(spark):
    """Ten users: all know `hub`, one pair of users knows `rare`, each knows an item of its own."""
    rows = [(f"u{u}", item, 1.0) for u in range(30) for item in ("hub", f"own{u:02}")]
    rows += [("u0", "rare", 1.0), ("u1", "rare", 1.0)]
    graph = sharded(spark.createDataFrame(rows, EDGES), 2)

    report = report_partition(graph, COSTS)

    assert report.hubs == ("hub",)
    # `rare` is shared only where its two users were parted.
    assert report.shared_edges in (pytest.approx(30 / 62), pytest.approx(32 / 62))


def test_the_columns_are_those_of_the_table():
    from interest_graph.tables import PARTITION

    names = [line.split()[0] for line in PARTITION_COLUMNS.replace("\n", " ").split(",")]

    assert ["model_run", *names] == PARTITION.column_names
