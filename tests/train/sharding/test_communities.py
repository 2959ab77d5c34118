"""Groups of items by where the leading singular vectors place them."""

from __future__ import annotations

import numpy as np
from tests.train.graphs import planted_matrix, symmetric

from interest_graph.train.kernels.ranking import of_unit_length
from interest_graph.train.sharding.communities import group_centres, nearest_group

N_GROUPS = 5


def test_planted_groups_are_found_and_users_follow_their_items():
    matrix = planted_matrix(200, 100, N_GROUPS, 0.5, seed=1)
    degrees = matrix.sum(axis=0).A1.astype(np.float64)
    V = np.linalg.svd(symmetric(matrix))[2][:8].T.astype(np.float32)

    centres = group_centres(V, degrees, N_GROUPS)

    shard = {
        "indptr": matrix.indptr.astype(np.int64),
        "items": matrix.indices,
        "weights": matrix.data,
    }
    shared = {"V": V, "centres": centres, "degrees": degrees}
    groups = nearest_group(shard, shared)[:, 0]
    by_planted = [set(groups[planted::N_GROUPS]) for planted in range(N_GROUPS)]
    assert [len(found) for found in by_planted] == [1] * N_GROUPS
    assert len(set.union(*by_planted)) == N_GROUPS


def test_a_half_is_next_to_its_other_half():
    angles = np.array([0.0, 0.1, 1.0, 1.1, 2.0, 2.1])
    places = np.column_stack([np.cos(angles), np.sin(angles)]).astype(np.float32)

    centres = group_centres(places, np.ones(6), 3)

    order = np.arctan2(centres[:, 1], centres[:, 0])
    assert sorted(order) in (list(order), list(order[::-1]))


def test_items_that_are_all_alike_stay_one_group():
    places = np.ones((4, 3), dtype=np.float32)

    centres = group_centres(places, np.array([1.0, 2.0, 0.0, 1.0]), 3)

    np.testing.assert_allclose(centres, of_unit_length(places[:1]), rtol=1e-6)
