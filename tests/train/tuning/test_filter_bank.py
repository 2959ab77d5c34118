"""Filters scored from shared tables equal the filters themselves."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import sparse

from interest_graph.train.kernels.chebyshev import chebyshev_weights, item_graph
from interest_graph.train.kernels.ranking import mean_ndcg
from interest_graph.train.tuning.ensemble_weights import (
    best_filters,
    learn_weights,
    pool_of,
    with_filters,
)
from interest_graph.train.tuning.filter_bank import FilterBank, FilterGrid, FilterSettings, merged

N_USERS, N_ITEMS, K = 90, 50, 5
GRID = FilterGrid((0.4, 0.0), (1.5, 6.0), (0.2, 0.0, 1.0), (8, 6))


@pytest.fixture(scope="module")
def data():
    """Seen and held-out pairs of users who like one of five groups of items."""
    rng = np.random.default_rng(3)
    likes = np.arange(N_ITEMS) % 5 == (np.arange(N_USERS) % 5)[:, None]
    seen = rng.random((N_USERS, N_ITEMS)) < np.where(likes, 0.4, 0.08)
    held_out = ~seen & (rng.random(seen.shape) < np.where(likes, 0.5, 0.02))
    return tuple(sparse.csr_matrix(part.astype(np.float32)) for part in (seen, held_out))


@pytest.fixture(scope="module")
def bank(data):
    return FilterBank(item_graph(data[0], 8), data[0], GRID)


@pytest.fixture(scope="module")
def users(data):
    return np.flatnonzero(np.diff(data[1].indptr))


def pool(data, users, sources=(), bank=None):
    seen, held_out = data
    return pool_of(sources, seen, held_out, np.diff(held_out.indptr), users, K, bank)


def weights_of(data, filters):
    """All weights of the filters' sum, the ideal parts included; the diagonal is 0."""
    everything, operators = np.arange(N_ITEMS), merged(filters)
    total = chebyshev_weights(data[0], everything, keep=N_ITEMS, operators=operators).toarray()
    graph = item_graph(data[0], 8)
    for each in operators:
        V = graph.vectors[:, : len(each.ideal)]
        scale, unscale = (graph.scale(sign * each.degree_exponent) for sign in (1, -1))
        total += unscale[:, None] * (V * np.float32(each.ideal)) @ V.T * scale
    np.fill_diagonal(total, 0)
    return total


def test_the_grid_has_every_combination_once():
    settings = list(GRID.settings())

    assert len(settings) == len(set(settings)) == 2 * (2 * (2 + 1 + 2) + 2)
    assert settings[0] == FilterSettings(0.4, 1.5, 0.2, 8)  # the first values come first


def test_a_grid_of_single_values_is_one_filter():
    grid = FilterGrid((0.4,), (1.5,), (0.2,), (8,))

    assert list(grid.settings()) == [FilterSettings(0.4, 1.5, 0.2, 8)]


def test_combined_tables_are_the_filters_scores(data, bank, users):
    found = pool(data, users, bank=bank)
    settings = [FilterSettings(0.4, 6.0, 1.0, 6), FilterSettings(0.0, None, 1.0, 8)]

    scores = with_filters(found, bank, [[(each, 1.0)] for each in settings]).scores

    seen = data[0].toarray()
    for each, of_filter in zip(settings, scores, strict=True):
        exact = (seen @ weights_of(data, [(each, 1.0)]))[users]
        for row, expected in zip(of_filter, exact, strict=True):
            scores = row[np.isfinite(row)]
            distances = np.abs(scores[:, None] - expected)
            assert len(scores) >= K
            assert distances.min(axis=1).max() < 1e-4


def test_the_good_filters_of_each_exponent_have_the_ndcg_of_their_weights(data, bank, users):
    found = pool(data, users, bank=bank)

    best = best_filters(found, bank, K)

    assert [each[0][0].degree_exponent for each in best] == list(GRID.degree_exponents)
    seen, held_out = data
    for filters, scores in zip(best, with_filters(found, bank, best).scores, strict=True):
        weights = weights_of(data, filters)
        n_held_out = np.diff(held_out.indptr)
        exact = mean_ndcg(lambda rows, W=weights: seen[rows] @ W, *data, n_held_out, users, K)
        assert found.ndcg_of_users(scores, K).mean() == pytest.approx(exact, abs=0.01)


def test_filters_with_other_vectors_or_of_higher_order_are_not_averaged(data, bank, users):
    found = pool(data, users, bank=bank)
    metric = {
        settings: found.ndcg_of_users(with_filters(found, bank, [[(settings, 1.0)]]).scores[0], K)
        for settings in GRID.settings()
    }

    best = best_filters(found, bank, K)

    for filters in best:
        first, *others = (settings for settings, _ in filters)
        assert all(s.n_vectors == first.n_vectors or not s.ideal_weight for s in others)
        assert all(metric[s].mean() <= metric[first].mean() for s in others)
        alike = [s for s in metric if s.degree_exponent == first.degree_exponent]
        assert first == max(
            (s for s in alike if s.order <= max(s.order for s, _ in filters)),
            key=lambda s: metric[s].mean(),
        )


def test_filters_are_weighed_beside_other_sources(data, bank, users):
    noise = np.random.default_rng(0).standard_normal((N_USERS, N_ITEMS))
    found = pool(data, users, [lambda rows: noise[rows]], bank)

    both = with_filters(found, bank, best_filters(found, bank, K))

    weights = learn_weights(both, K)
    shares = weights * both.deviations()
    assert len(weights) == 3
    assert shares[1:].sum() > 5 * shares[0]


def test_merged_filters_score_as_their_sum(data):
    filters = [
        (FilterSettings(0.4, 1.5, 0.2, 8), 2.0),
        (FilterSettings(0.4, None, 1.0, 6), 0.5),
        (FilterSettings(0.0, 6.0, 0.0, 8), 1.0),
    ]

    operators = merged(filters)

    assert [each.degree_exponent for each in operators] == [0.0, 0.4]
    expected = sum(weight * weights_of(data, [(each, 1.0)]) for each, weight in filters)
    np.testing.assert_allclose(weights_of(data, filters), expected, atol=1e-4)


def test_blocks_of_users_give_one_pool(data, bank, users, monkeypatch):
    module = "interest_graph.train.tuning.ensemble_weights._USERS_PER_BANK_BLOCK"
    whole = pool(data, users, bank=bank)
    monkeypatch.setattr(module, 7)

    cut = pool(data, users, bank=bank)

    for one, other in zip(*(best_filters(each, bank, K) for each in (cut, whole)), strict=True):
        assert [settings for settings, _ in one] == [settings for settings, _ in other]
    assert replace(cut, scores=whole.scores).relevant.sum() == whole.relevant.sum()
