from __future__ import annotations

import math
from collections import defaultdict

import numpy as np
import pytest
from chispa import assert_df_equality
from sklearn.metrics import ndcg_score

from interest_graph.evaluate.protocol import MEASURES, average, cover, score_users

LISTS = "model STRING, user_id STRING, rank INT, item_id STRING"
PAIRS = "user_id STRING, item_id STRING"
KS = [1, 5, 10, 20]
N_ITEMS = 60
N_USERS = 400


@pytest.fixture(scope="module")
def lists():
    """Random lists (some short, some users without) and hold-out items (1 to 30) by user."""
    random = np.random.default_rng(7)
    users = [f"u{n}" for n in range(N_USERS)]
    listed = {user: random.permutation(N_ITEMS)[: random.choice([0, 3, 20])] for user in users}
    held = {user: random.permutation(N_ITEMS)[: random.integers(1, 31)] for user in users}
    return listed, held


@pytest.fixture(scope="module")
def scores(spark, lists):
    listed, held = lists
    rows = [
        ("m", u, r, str(i)) for u, items in listed.items() for r, i in enumerate(items.tolist(), 1)
    ]
    pairs = [(user, str(item)) for user, items in held.items() for item in items]
    frame = score_users(
        spark.createDataFrame(rows, LISTS).repartition(3),
        spark.createDataFrame(pairs, PAIRS),
        ["m"],
        KS,
    )
    return {(row["user_id"], row["k"]): row.asDict() for row in frame.toLocalIterator()}


def by_hand(items, relevant, k):
    """The definitions, in plain Python loops."""
    hits = [rank for rank, item in enumerate(items[:k], 1) if item in relevant]
    best = min(k, len(relevant))
    precision, recall = len(hits) / k, len(hits) / len(relevant)
    return {
        "precision": precision,
        "recall": recall,
        "f1": 2 * precision * recall / (precision + recall) if hits else 0.0,
        "ndcg": sum(1 / math.log2(r + 1) for r in hits)
        / sum(1 / math.log2(r + 1) for r in range(1, best + 1)),
        "mrr": 1 / hits[0] if hits else 0.0,
        "map": sum(n / r for n, r in enumerate(hits, 1)) / best,
        "hit_rate": float(bool(hits)),
    }


def test_every_measure_equals_its_definition_for_hundreds_of_users(scores, lists):
    listed, held = lists
    assert len(scores) == N_USERS * len(KS)
    for (user, k), row in scores.items():
        truth = by_hand(listed[user].tolist(), set(held[user].tolist()), k)
        assert {name: row[name] for name in MEASURES} == pytest.approx(truth, abs=1e-12)


def test_ndcg_equals_scikit_learn(scores, lists):
    listed, held = lists
    full = [user for user, items in listed.items() if len(items) == 20]
    relevance, order = np.zeros((len(full), N_ITEMS)), np.zeros((len(full), N_ITEMS))
    for row, user in enumerate(full):
        relevance[row, held[user]] = 1
        order[row, listed[user]] = np.arange(20, 0, -1)
    for k in KS:
        ours = np.mean([scores[user, k]["ndcg"] for user in full])
        assert ours == pytest.approx(ndcg_score(relevance, order, k=k), abs=1e-12)


def test_a_perfect_list_scores_one_and_a_missing_list_zero(spark):
    listed = spark.createDataFrame([("m", "a", 1, "x"), ("m", "a", 2, "y")], LISTS)
    held = spark.createDataFrame([("a", "x"), ("a", "y"), ("b", "x")], PAIRS)

    scores = score_users(listed, held, ["m", "mute"], [2])

    found = {(row["model"], row["user_id"]): row for row in scores.toLocalIterator()}
    assert len(found) == 4
    for (model, user), row in found.items():
        perfect = (model, user) == ("m", "a")
        assert {row[name] for name in MEASURES} == {1.0 if perfect else 0.0}


def test_average_is_over_users_by_model_and_length(spark):
    columns = "model STRING, user_id STRING, k INT, " + ", ".join(f"{m} DOUBLE" for m in MEASURES)
    rows = [("m", "a", 5, *[0.0] * 7), ("m", "b", 5, *[1.0] * 7), ("n", "a", 5, *[0.25] * 7)]

    means = average(spark.createDataFrame(rows, columns))

    expected = [("m", 5, 2, name, 0.5) for name in MEASURES]
    expected += [("n", 5, 1, name, 0.25) for name in MEASURES]
    schema = "model STRING, k INT, n_users LONG, metric STRING, value DOUBLE"
    truth = spark.createDataFrame(expected, schema)
    assert_df_equality(means, truth, ignore_nullable=True, ignore_row_order=True)


def test_coverage_counts_the_distinct_items_within_k(spark):
    rows = [("m", "a", 1, "x"), ("m", "a", 2, "y"), ("m", "b", 1, "x"), ("m", "b", 2, "z")]
    listed = spark.createDataFrame(rows, LISTS)

    shares = cover(listed, n_items=10, ks=[1, 2])

    found = defaultdict(dict)
    for row in shares.toLocalIterator():
        assert row["metric"] == "coverage"
        found[row["model"]][row["k"]] = row["value"]
    assert found == {"m": {1: 0.1, 2: 0.3}}
