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


def test_candidates_take_memory_by_step_and_not_by_edge():
    one = training_costs(64, 3, batch_size=8192)
    many = training_costs(64, 3, n_candidates=16, batch_size=8192)

    vectors_mb = 15 * 8192 * 64 * 4 / 2**20
    assert many.worker_mb(10, 0, 20) > one.worker_mb(10, 0, 20) + vectors_mb
    assert many.edge == one.edge


def test_a_pool_takes_memory_by_users_and_items_of_a_mini_batch():
    small, large = (training_costs(64, 1, batch_size=2048, pool_size=n) for n in (512, 2048))

    scores_mb = 2048 * 1536 * 4 / 2**20
    assert large.worker_mb(10, 0, 20) > small.worker_mb(10, 0, 20) + 3 * scores_mb


def test_fewer_layers_take_less_memory_and_none_is_possible():
    costs = [training_costs(64, n_layers).item for n_layers in (0, 1, 3)]

    assert costs == sorted(set(costs))
    assert costs[0] > 64 * 4 * 8


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
    assert shards_needed(size(n_users=3, n_edges=9_000_000, most_edges=3_000_000), COSTS, 1150) == 3


@pytest.mark.parametrize("changes", [{"n_items": 10**6}, {"most_edges": 10**7}])
def test_items_or_a_user_that_fit_no_worker_are_one_clear_error(changes):
    with pytest.raises(ConfigError, match=r"train.worker_mb: any worker needs about [\d,]+ MB for"):
        shards_needed(size(**changes), COSTS, 950)
