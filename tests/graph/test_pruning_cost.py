"""The price of pruning, as recall of held-out edges."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from interest_graph.graph.pruning_cost import recall_before_and_after


@pytest.fixture
def groups():
    """Two groups of ten users with six items each; every user misses one of the group's items."""
    rows = [
        (f"u{g}{u}", f"i{g}{i}", 1.0, (i + u) % 6, True)
        for g in range(2)
        for u in range(10)
        for i in range(6)
        if i != u % 6
    ]
    return pd.DataFrame(rows, columns=["src", "dst", "weight", "last_ts", "is_kept"])


def test_held_out_edges_come_back_from_the_group(groups):
    found = recall_before_and_after(groups, n_users=100, k=2)

    assert found == {"n_users": 20.0, "recall_before": 1.0, "recall_after": 1.0}


def test_pruning_what_joins_users_costs_recall(groups):
    nearly_all_gone = groups.assign(is_kept=groups["dst"].str.endswith("0"))

    found = recall_before_and_after(nearly_all_gone, n_users=100, k=2)

    assert found["recall_before"] == 1.0
    assert found["recall_after"] == 0.0


def test_only_some_users_are_asked(groups):
    assert recall_before_and_after(groups, n_users=7, k=2)["n_users"] == 7.0


def test_users_of_one_edge_are_not_asked():
    lone = {"src": ["u"], "dst": ["i"], "weight": [1.0], "last_ts": [0], "is_kept": [True]}

    assert recall_before_and_after(pd.DataFrame(lone), n_users=5, k=2) == {}


def test_recall_equals_a_dense_computation():
    random = np.random.default_rng(2)
    cells = random.choice(40 * 25, 300, replace=False)
    frame = pd.DataFrame(
        {
            "src": [f"u{c // 25:02}" for c in cells],
            "dst": [f"i{c % 25:02}" for c in cells],
            "weight": random.gamma(2.0, 1.0, 300),
            "last_ts": random.permutation(300),
            "is_kept": True,
        }
    )

    found = recall_before_and_after(frame, n_users=40, k=5)

    assert found["recall_before"] == pytest.approx(_dense_recall(frame, k=5))


def _dense_recall(frame, k):
    table = frame.pivot_table(index="src", columns="dst", values="weight", fill_value=0.0)
    latest = frame.sort_values("last_ts").groupby("src").tail(1)
    sizes = frame.groupby("src").size()
    latest = latest[latest["src"].map(sizes) >= 2]
    for row in latest.itertuples():
        table.loc[row.src, row.dst] = 0.0
    matrix = table.to_numpy()
    norm = lambda axis: np.sqrt(np.maximum(matrix.sum(axis=axis), 1e-300))  # noqa: E731
    unit = matrix / norm(1)[:, None] / norm(0)[None, :]
    scores = pd.DataFrame(unit @ unit.T @ unit, index=table.index, columns=table.columns)
    scores[table > 0] = -1.0
    hits = [row.dst in scores.loc[row.src].nlargest(k).index for row in latest.itertuples()]
    return np.mean(hits)
