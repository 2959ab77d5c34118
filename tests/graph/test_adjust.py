"""Saturation, confidence and rarity against pandas."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from interest_graph.config import GraphConfig
from interest_graph.graph.weigh import adjust_weights, describe_adjustment


@pytest.fixture(scope="module")
def pairs():
    random = np.random.default_rng(1)
    cells = random.choice(30 * 20, 150, replace=False)
    ids = {"user_id": (cells // 20).astype(str), "item_id": (cells % 20).astype(str)}
    return pd.DataFrame({**ids, "weight": random.gamma(1.0, 4.0, 150)})


def _adjusted(spark, pairs, **settings):
    frame = adjust_weights(spark.createDataFrame(pairs), GraphConfig(**settings)).toPandas()
    assert set(frame) == set(pairs)
    return frame.set_index(["user_id", "item_id"])["weight"].sort_index()


def _expected(pairs, weight):
    return pairs.assign(weight=weight).set_index(["user_id", "item_id"])["weight"].sort_index()


def test_saturation_bounds_and_confidence_grows_with_the_logarithm(spark, pairs):
    got = _adjusted(spark, pairs, saturate_at=2.0, confidence_alpha=10.0)

    saturated = 2.0 * pairs["weight"] / (2.0 + pairs["weight"])
    expected = _expected(pairs, 1.0 + 10.0 * np.log1p(saturated))
    pd.testing.assert_series_equal(got, expected, rtol=1e-12)
    assert saturated.max() < 2.0 < pairs["weight"].max()


def test_bm25_equals_the_textbook_formula(spark, pairs):
    got = _adjusted(spark, pairs, rarity={"kind": "bm25", "k1": 1.5, "b": 0.6})

    by_user, by_item = pairs.groupby("user_id")["weight"], pairs.groupby("item_id")["weight"]
    n_users, df = pairs["user_id"].nunique(), by_item.transform("size")
    length = by_user.transform("sum") / by_user.sum().mean()
    idf = np.log(1 + (n_users - df + 0.5) / (df + 0.5))
    weight = pairs["weight"]
    expected = idf * weight * 2.5 / (weight + 1.5 * (1 - 0.6 + 0.6 * length))
    pd.testing.assert_series_equal(got, _expected(pairs, expected), rtol=1e-12)


@pytest.mark.parametrize(
    ("kind", "end", "other"),
    [
        ("inverse_item_frequency", "item_id", "user_id"),
        ("inverse_user_frequency", "user_id", "item_id"),
    ],
)
def test_common_ends_weigh_less(spark, pairs, kind, end, other):
    got = _adjusted(spark, pairs, rarity={"kind": kind})

    degree = pairs.groupby(end)["weight"].transform("size")
    expected = pairs["weight"] * np.log(1 + pairs[other].nunique() / degree)
    pd.testing.assert_series_equal(got, _expected(pairs, expected), rtol=1e-12)


def test_formulas_are_told():
    config = GraphConfig(saturate_at=5, rarity={"kind": "bm25"})

    assert describe_adjustment(config) == "w := 5 w / (5 + w); w := bm25(w; k1=1.2, b=0.75)"
    assert describe_adjustment(GraphConfig()) == ""
