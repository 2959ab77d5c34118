"""Weights of user-item edges."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from interest_graph.config import GraphConfig
from interest_graph.graph.weigh import weigh_edges


def _weight(events, as_of, *rows, **settings):
    weighed = weigh_edges(events(*rows), as_of=as_of, config=GraphConfig(**settings))
    return [row.weight for row in weighed.collect()]


def test_edge_halves_after_exactly_one_half_life(events, as_of):
    weights = _weight(events, as_of, ("u", "i", "view", 7.0, None), half_life_days=7.0)

    assert weights == [0.5]


def test_events_after_as_of_are_not_seen(events, as_of):
    weights = _weight(
        events, as_of, ("u", "i", "view", -0.001, None), ("u", "j", "view", 0.0, None)
    )

    assert weights == [1.0]


def test_weight_is_action_times_value_times_decay(events, as_of):
    settings = {
        "action_weights": {"rating": 3.0},
        "values": {"rating": {"form": "linear", "scale": 5.0}},
        "half_life_days": 10.0,
    }

    weights = _weight(events, as_of, ("u", "i", "rating", 20.0, 4.0), **settings)

    assert weights == pytest.approx([3.0 * 0.8 * 0.25], rel=1e-12)


@pytest.mark.parametrize(
    ("transform", "value", "factor"),
    [
        ({"form": "linear", "offset": 2.5, "scale": 2.5}, 5.0, 1.0),
        ({"form": "linear", "upper": 1.0}, 9.0, 1.0),
        ({"form": "linear", "lower": 0.1, "offset": 3.0}, 1.0, 0.1),
        ({"form": "log", "scale": 10.0}, 30.0, np.log(4.0)),
        ({"form": "linear", "missing": 0.25}, None, 0.25),
        ({"form": "constant"}, 7.0, 1.0),
    ],
)
def test_value_transforms(events, as_of, transform, value, factor):
    row = ("u", "i", "dwell", 0.0, value)

    weights = _weight(events, as_of, row, values={"dwell": transform})

    assert weights == pytest.approx([factor], rel=1e-12)


def test_event_of_value_zero_makes_no_edge(events, as_of):
    transform = {"form": "linear", "offset": 3.0}

    assert _weight(events, as_of, ("u", "i", "rate", 0.0, 2.0), values={"rate": transform}) == []


def test_count_and_times_of_an_edge_are_kept(events, as_of):
    rows = [("u", "i", "view", age, None) for age in (1.0, 9.0, 4.0)]

    edge = weigh_edges(events(*rows), as_of=as_of, config=GraphConfig()).first()

    first, last = as_of - timedelta(days=9), as_of - timedelta(days=1)
    assert (edge.n_events, edge.first_ts, edge.last_ts) == (
        3,
        first.replace(tzinfo=None),
        last.replace(tzinfo=None),
    )


def test_ten_thousand_events_weigh_what_pandas_says(spark, as_of):
    log = _random_log(10_000)
    config = GraphConfig(
        action_weights={"view": 1.0, "buy": 5.0},
        values={"buy": {"form": "log", "scale": 10.0}},
        half_life_days=14.0,
    )

    weighed = weigh_edges(spark.createDataFrame(log), as_of=as_of, config=config).toPandas()

    got = weighed.set_index(["user_id", "item_id"])["weight"].sort_index()
    pd.testing.assert_series_equal(got, _pandas_weights(log), rtol=1e-9, check_names=False)


def test_weights_do_not_depend_on_partitioning(spark, as_of):
    frame = spark.createDataFrame(_random_log(3_000))

    def weigh(n_partitions):
        weighed = weigh_edges(frame.repartition(n_partitions), as_of=as_of, config=GraphConfig())
        return {(r.user_id, r.item_id, r.weight) for r in weighed.collect()}

    assert weigh(1) == weigh(7)


def _random_log(n):
    random = np.random.default_rng(5)
    return pd.DataFrame(
        {
            "user_id": random.integers(0, 60, n).astype(str),
            "item_id": random.integers(0, 40, n).astype(str),
            "action": random.choice(["view", "buy"], n),
            "event_ts": pd.Timestamp("2024-01-31")
            - pd.to_timedelta(random.integers(0, 10**7, n), unit="s"),
            "value": random.gamma(2.0, 20.0, n),
            "dwell_seconds": np.nan,
        }
    )


def _pandas_weights(log):
    age_days = (datetime(2024, 1, 31) - log["event_ts"]).dt.total_seconds() / 86_400
    buys = 5.0 * np.log1p(log["value"] / 10.0)
    strength = np.where(log["action"] == "buy", buys, 1.0) * 0.5 ** (age_days / 14.0)
    return strength.groupby([log["user_id"], log["item_id"]]).sum().sort_index()
