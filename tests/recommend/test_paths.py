"""Reasons from paths in small graphs, without Spark."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array

from interest_graph.recommend.paths import (
    NOWHERE,
    SIMILAR_USERS_REASON,
    ItemGraph,
    heaviest,
    reason_lines,
    strongest_paths,
)

ALIEN, BRAZIL, CUBE, DUEL, EVENT = range(5)
NAMES = ["Alien", "Brazil", "Cube", "Duel", "Event"]
COMEDY, DRAMA, SPACE = range(3)
INTERESTS = ["Comedy", "Drama", "Space"]
FIRST_USER = np.array([0])


def matrix(entries, shape):
    dense = np.zeros(shape, dtype=np.float32)
    for (row, column), weight in entries.items():
        dense[row, column] = weight
    return csr_array(dense)


def reason(history, together, about, item):
    """The reason for one recommendation to one user."""
    near = matrix(together, (5, 5))
    graph = ItemGraph(near.maximum(near.T).tocsr(), matrix(about, (5, 3)), NAMES, INTERESTS)
    histories = matrix({(0, i): weight for i, weight in history.items()}, (1, 5))
    return reason_lines(histories, FIRST_USER, np.array([item]), graph)[0]


def test_the_two_heaviest_paths_are_named():
    history = {ALIEN: 1.0, BRAZIL: 3.0, CUBE: 2.0}
    # Path weights: 1 x 0.9, 3 x 0.5, 2 x 0.4.
    together = {(ALIEN, EVENT): 0.9, (BRAZIL, EVENT): 0.5, (CUBE, EVENT): 0.4}

    found = reason(history, together, {}, EVENT)

    assert found == "because you liked Brazil and Alien, often chosen together with it"


def test_the_heaviest_interest_that_all_share_is_named():
    together = {(ALIEN, EVENT): 0.5, (BRAZIL, EVENT): 0.5}
    about = {(ALIEN, DRAMA): 1, (ALIEN, COMEDY): 1, (ALIEN, SPACE): 1, (BRAZIL, COMEDY): 1}
    about |= {(BRAZIL, SPACE): 1, (EVENT, COMEDY): 0.5, (EVENT, DRAMA): 2.0, (EVENT, SPACE): 0.6}

    found = reason({ALIEN: 2.0, BRAZIL: 1.0}, together, about, EVENT)

    assert found == "because of Alien, Brazil that share Space"


def test_without_item_edges_the_items_of_the_same_interests_are_named():
    about = {(ALIEN, COMEDY): 1, (BRAZIL, SPACE): 1, (CUBE, SPACE): 1}
    about |= {(EVENT, COMEDY): 1, (EVENT, SPACE): 1}

    found = reason({ALIEN: 1.0, BRAZIL: 5.0, CUBE: 4.0}, {}, about, EVENT)

    assert found == "because of Brazil, Cube that share Space"


def test_a_single_path_item():
    assert reason({DUEL: 1.0}, {(DUEL, ALIEN): 1.0}, {}, ALIEN) == (
        "because you liked Duel, often chosen together with it"
    )
    about = {(DUEL, DRAMA): 1, (ALIEN, DRAMA): 1}
    assert reason({DUEL: 1.0}, {}, about, ALIEN) == "because of Duel that shares Drama"


def test_without_any_path_similar_users_are_the_reason():
    assert reason({DUEL: 1.0}, {}, {(ALIEN, DRAMA): 1}, ALIEN) == SIMILAR_USERS_REASON


def test_heaviest_breaks_ties_by_column_and_pads():
    rows = csr_array(np.array([[0, 2, 1, 2], [0, 0, 0, -1], [3, 0, 0, 0]], dtype=np.float32))

    assert heaviest(rows, 2).tolist() == [[1, 3], [NOWHERE, NOWHERE], [0, NOWHERE]]


def test_paths_equal_a_brute_force_search():
    rng = np.random.default_rng(5)
    history = rng.integers(1, 9, (6, 20)) * (rng.random((6, 20)) < 0.3)
    near = np.triu(rng.integers(1, 9, (20, 20)) * (rng.random((20, 20)) < 0.2))
    near = near + near.T
    empty = csr_array((20, 1), dtype=np.float32)
    graph = ItemGraph(csr_array(near.astype(np.float32)), empty, [""] * 20, [""])
    users, items = (grid.ravel() for grid in np.indices((6, 20)))

    found = strongest_paths(csr_array(history.astype(np.float32)), users, items, graph)

    for user, item, path in zip(users, items, found.tolist(), strict=True):
        weights = history[user] * near[item]
        best = sorted(np.flatnonzero(weights), key=lambda j: (-weights[j], j))[:2]
        assert [j for j in path if j != NOWHERE] == best


def test_interests_of_the_first_item_do_not_count_twice():
    # Alien, in position 0, is on no path; its interest must not gain weight by that.
    about = {(ALIEN, COMEDY): 1, (DUEL, COMEDY): 1, (DUEL, SPACE): 1}
    about |= {(EVENT, COMEDY): 2.0, (EVENT, SPACE): 3.0}

    found = reason({DUEL: 1.0}, {(DUEL, EVENT): 1.0}, about, EVENT)

    assert found == "because of Duel that shares Space"
