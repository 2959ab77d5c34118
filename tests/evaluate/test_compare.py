from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from interest_graph.evaluate.protocol import MEASURES, compare

SCORES = "model STRING, user_id STRING, k INT, " + ", ".join(f"{m} DOUBLE" for m in MEASURES)


def leads(spark, ours, theirs):
    """The comparison's rows by metric; arrays of users x measures."""
    rows = [
        (model, f"u{user}", 10, *values.tolist())
        for model, scores in (("ours", ours), ("theirs", theirs))
        for user, values in enumerate(scores)
    ]
    compared = compare(spark.createDataFrame(rows, SCORES).repartition(3), "ours")
    return {row["metric"]: row for row in compared.toLocalIterator()}


def test_interval_equals_scipys_paired_t_test(spark):
    random = np.random.default_rng(3)
    ours = random.random((30, len(MEASURES)))
    theirs = 0.8 * ours + 0.2 * random.random((30, len(MEASURES)))

    found = leads(spark, ours, theirs)

    assert set(found) == set(MEASURES)
    for column, name in enumerate(MEASURES):
        truth = stats.ttest_rel(ours[:, column], theirs[:, column])
        low, high = truth.confidence_interval(0.95)
        row = found[name]
        assert row["lead"] == pytest.approx((ours - theirs)[:, column].mean(), abs=1e-12)
        assert (row["lead_low"], row["lead_high"]) == pytest.approx((low, high), abs=1e-5)


def test_a_single_user_gives_a_lead_without_an_interval(spark):
    found = leads(spark, np.full((1, 7), 0.5), np.full((1, 7), 0.25))

    assert found["ndcg"]["lead"] == 0.25
    assert found["ndcg"]["lead_low"] is None
    assert found["ndcg"]["lead_high"] is None
