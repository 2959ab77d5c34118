"""Users who share items share a shard, in shards of equal bytes, whatever the order of rows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from pyspark.sql import functions as F
from scipy import sparse
from tests.train.graphs import COSTS, EDGES, frame_of, planted_matrix

from interest_graph.config import TrainConfig
from interest_graph.errors import ConfigError
from interest_graph.train.sharding.partition import partition
from interest_graph.train.sharding.report import report_partition

N_USERS, N_ITEMS, N_GROUPS = 400, 80, 8


@pytest.fixture(scope="module")
def edges(spark):
    """Eight communities, with one edge in a hundred to anywhere."""
    matrix = planted_matrix(N_USERS, N_ITEMS, N_GROUPS, 0.6, seed=4).toarray()
    strays = np.random.default_rng(5).random(matrix.shape) < 0.001
    both = sparse.csr_matrix(((matrix > 0) | strays).astype(np.float32))
    return frame_of(spark, both).cache()


def cut(edges, **changes):
    tree = {"n_shards": 4, "sharding": "community", **changes}
    return partition(edges, None, TrainConfig.model_validate(tree), COSTS)


def users_by_shard(graph):
    packed = graph.rows.where("name = 'user_ids'").orderBy("shard_id", "chunk")
    return [(row.shard_id, bytes(row.data)) for row in packed.collect()]


@pytest.fixture(scope="module")
def communities(edges):
    graph = cut(edges)
    yield graph
    graph.release()


def test_communities_share_shards_at_the_balance_of_hashing(edges, communities):
    hashed = cut(edges, sharding="hash")

    by_hash, by_community = (report_partition(graph, COSTS) for graph in (hashed, communities))

    hashed.release()
    assert by_hash.replication > 3.5
    assert by_community.replication < 0.5 * by_hash.replication
    assert by_community.imbalance < 1.05
    assert by_hash.imbalance < 1.05
    assert sum(s.n_edges for s in by_community.shards) == edges.count()
    assert sum(s.n_users for s in by_community.shards) == N_USERS


def test_order_of_rows_does_not_change_the_communities(edges, communities):
    shuffled = edges.orderBy(F.rand(3)).repartition(5)

    first, again = (users_by_shard(graph) for graph in (communities, cut(shuffled)))

    assert first == again
    assert [shard for shard, _ in first] == [0, 1, 2, 3]


def test_communities_of_a_skewed_graph_keep_the_budget(spark):
    """Zipf's law on both sides: heavy users and hub items."""
    rng = np.random.default_rng(0)
    sizes = np.minimum(300, rng.zipf(1.6, size=500))
    rows = [
        (f"u{u}", f"i{i}", 1.0)
        for u, n in enumerate(sizes)
        for i in sorted(set(np.minimum(399, rng.zipf(1.3, size=n))))
    ]

    graph = cut(spark.createDataFrame(rows, EDGES))

    assert report_partition(graph, COSTS).imbalance < 1.1
    graph.release()


def test_few_users_in_community_order_still_fill_the_shards(spark):
    rows = [(f"u{u}", "x", 1.0) for u in range(4)]

    graph = cut(spark.createDataFrame(rows, EDGES))

    assert [shard.n_users for shard in report_partition(graph, COSTS).shards] == [1, 1, 1, 1]


def test_the_number_of_shards_follows_from_the_budget(edges):
    free_mb = COSTS.worker_mb(N_USERS, edges.count(), N_ITEMS) - COSTS.worker_mb(0, 0, N_ITEMS)
    # worker_mb counts whole megabytes and this graph has less than one: the costs are scaled up.
    costs = replace(COSTS, user=COSTS.user * 300 / free_mb, edge=COSTS.edge * 300 / free_mb)
    config = TrainConfig(n_shards=None, worker_mb=round(costs.worker_mb(0, 0, N_ITEMS)) + 100)

    graph = partition(edges, None, config, costs)

    report = report_partition(graph, costs)
    report.require_memory(config.worker_mb)
    assert 4 <= graph.n_shards <= 5
    graph.release()


def test_a_budget_that_no_number_of_shards_keeps_is_refused(edges):
    with pytest.raises(ConfigError, match=r"train.worker_mb: any worker needs about [\d,]+ MB"):
        cut(edges, n_shards=None, worker_mb=400)
