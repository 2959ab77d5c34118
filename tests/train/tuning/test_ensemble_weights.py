"""Blend weights on sources of known quality."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from interest_graph.train.kernels.ranking import mean_ndcg
from interest_graph.train.tuning.ensemble_weights import learn_weights, pool_of

N_USERS, N_ITEMS, K = 300, 120, 10


@pytest.fixture(scope="module")
def world():
    """Held-out pairs follow taste; each source sees one half of it, at another scale, and noise."""
    rng = np.random.default_rng(11)
    halves = rng.normal(size=(2, N_USERS, N_ITEMS)).astype(np.float32)
    taste = halves.sum(axis=0)
    seen = sparse.csr_matrix((rng.random((N_USERS, N_ITEMS)) < 0.1).astype(np.float32))
    likely = np.where(seen.toarray() > 0, -np.inf, taste)
    held_out = np.zeros_like(taste)
    np.put_along_axis(held_out, np.argsort(-likely, axis=1)[:, :8], 1, axis=1)
    noise = rng.normal(size=taste.shape).astype(np.float32)
    sources = [lambda rows: halves[0][rows], lambda rows: 50 * halves[1][rows], lambda r: noise[r]]
    return sources, seen, sparse.csr_matrix(held_out)


def pool(world, n_sources):
    sources, seen, held_out = world
    counts = np.diff(held_out.indptr)
    return pool_of(sources[:n_sources], seen, held_out, counts, np.arange(N_USERS), K)


def test_weights_even_out_scales_and_leave_noise_out(world):
    candidates = pool(world, 3)

    weights = learn_weights(candidates, K)

    assert 30 < weights[0] / weights[1] < 80  # equal halves, one 50 times as large
    assert weights[2] * 10 < weights[0]
    alone = max(candidates.ndcg(one, K) for one in np.eye(3))
    assert candidates.ndcg(weights, K) > alone + 0.2


def test_pool_ranks_one_source_as_all_items_would(world):
    sources, seen, held_out = world
    counts = np.diff(held_out.indptr)

    pooled = pool(world, 1).ndcg([1.0], K)

    everything = mean_ndcg(sources[0], seen, held_out, counts, np.arange(N_USERS), K)
    assert pooled == pytest.approx(everything, abs=1e-12)


def test_pool_counts_no_item_twice(world):
    sources, seen, held_out = world
    counts = np.diff(held_out.indptr)
    twice = pool_of([sources[0]] * 2, seen, held_out, counts, np.arange(N_USERS), K)

    assert twice.ndcg([0.5, 0.5], K) == pytest.approx(pool(world, 1).ndcg([1.0], K))
