"""What a worker needs, and the shards that a budget asks for."""

from __future__ import annotations

import pytest

from interest_graph.errors import ConfigError
from interest_graph.train.sharding.memory_model import (
    GraphSize,
    product_costs,
    shards_needed,
    training_costs,
)

COSTS = training_costs(64, 3)


def size(n_users=50_000, n_edges=2_000_000, n_items=10_000, most_edges=5_000):
    return GraphSize(n_users, n_edges, n_items, most_edges)


def test_memory_grows_with_each_part():
    small = COSTS.worker_mb(10, 100, 20)

    assert COSTS.worker_mb(10, 10**7, 20) > small + 10**7 * 8 / 2**20
    assert COSTS.worker_mb(10**6, 100, 20) > small + 10**6 * 64 * 4 * 3 / 2**20
    assert COSTS.worker_mb(10, 100, 10**6) > small + 10**6 * 64 * 4 * 8 / 2**20
    assert product_costs(64).worker_mb(10**6, 100, 10**6) < COSTS.worker_mb(10**6, 100, 10**6)


def test_candidates_take_memory_by_edge_and_by_step():
    one = training_costs(64, 3, batch_size=8192)
    many = training_costs(64, 3, n_candidates=16, batch_size=8192)

    step_mb = 15 * 8192 * 64 * 4 / 2**20
    assert many.worker_mb(10, 0, 20) == pytest.approx(one.worker_mb(10, 0, 20) + step_mb)
    assert many.edge > one.edge + 15 * 8 * 4


@pytest.mark.parametrize("budget_mb", [850, 950, 4096])
def test_shards_of_that_number_keep_the_budget_and_fewer_do_not(budget_mb):
    graph = size()

    n = shards_needed(graph, COSTS, budget_mb)

    largest = (graph.n_users / n + 1, graph.n_edges / n + graph.most_edges)
    assert COSTS.worker_mb(*largest, graph.n_items) <= budget_mb
    if n > 1:
        fewer = (graph.n_users / (n - 1), graph.n_edges / (n - 1))
        free_mb = budget_mb - COSTS.worker_mb(0, 0, graph.n_items)
        assert COSTS.shard_bytes(*fewer) > 0.85 * free_mb * 2**20


def test_there_are_never_more_shards_than_users():
    assert shards_needed(size(n_users=3, n_edges=9_000_000, most_edges=3_000_000), COSTS, 950) == 3


@pytest.mark.parametrize("changes", [{"n_items": 10**6}, {"most_edges": 10**7}])
def test_items_or_a_user_that_fit_no_worker_are_one_clear_error(changes):
    with pytest.raises(ConfigError, match=r"train.worker_mb: any worker needs about [\d,]+ MB for"):
        shards_needed(size(**changes), COSTS, 950)
