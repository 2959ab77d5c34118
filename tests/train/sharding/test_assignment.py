"""Users in shards of equal bytes, one by one and along an order."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from interest_graph.train.sharding.memory_model import Costs
from interest_graph.train.sharding.partition import assign_heaviest, cut_evenly

COSTS = Costs(user=512, edge=8, item=0)


def test_heavy_users_are_spread_over_the_shards():
    sizes = pd.Series([1000, 900, 800, 10, 10, 5])
    heaviest = pd.DataFrame({"user_id": [*"abcdef"], "n_edges": sizes, "hashed": [0] * 6})
    loads = pd.DataFrame({"n_users": [106, 100], "n_edges": [sizes.sum() + 500, 500]})

    assigned = assign_heaviest(heaviest, loads, COSTS)

    edges = sizes.groupby(assigned["assigned_to"]).sum()
    assert assigned["user_id"].tolist() == [*"abcdef"]
    assert abs(edges[0] - edges[1]) < 1000  # all of them went to one shard by hash


@given(st.lists(st.floats(1, 100), min_size=4, max_size=60), st.integers(1, 4))
def test_every_part_is_contiguous_and_has_an_entry(sizes, n_parts):
    parts = cut_evenly(np.array(sizes), n_parts)

    assert (np.diff(parts) >= 0).all()
    assert set(parts.tolist()) == set(range(n_parts))


@pytest.mark.parametrize("n_parts", [2, 7, 16])
def test_parts_exceed_the_mean_by_one_entry_at_most(n_parts):
    sizes = np.minimum(np.random.default_rng(0).zipf(1.8, size=5000), 800).astype(float)

    loads = np.bincount(cut_evenly(sizes, n_parts), sizes)

    assert loads.max() <= sizes.sum() / n_parts + sizes.max()
