"""What a blend asks of its sources."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from structlog.testing import capture_logs
from tests.train.graphs import matrix_of
from tests.train.small_run import SETTINGS, small_pairs

from interest_graph.config import TrainConfig
from interest_graph.config.models import BlendConfig
from interest_graph.item_weights import rows_of
from interest_graph.train.registry import make_model
from interest_graph.train.shared_fits import SharedFits

CONFIG = TrainConfig.model_validate({**SETTINGS, "blend": {"sources": ["lightgcn"]}})


@pytest.fixture(scope="module")
def pairs(spark):
    return small_pairs(spark)


def test_what_trains_in_rounds_is_trained_once_and_takes_all_pairs_in(spark, pairs, tmp_path):
    alone = make_model("lightgcn", spark, CONFIG, str(tmp_path / "alone")).fit(*pairs)
    with capture_logs() as logs:
        blend = make_model("blend", spark, CONFIG, str(tmp_path / "blend")).fit(*pairs)
    rounds = [entry["number"] for entry in logs if entry["event"] == "round"]
    assert rounds == list(range(1, CONFIG.max_rounds + 1))
    np.testing.assert_allclose(
        matrix_of(blend.user_vectors), matrix_of(alone.user_vectors), rtol=1e-5
    )


def test_given_weights_are_taken_as_they_are(spark, pairs, tmp_path):
    weights = {"item_knn": 3.0, "graph_filter": 0.5}
    config = CONFIG.model_copy(update={"blend": BlendConfig(weights=weights)})
    blend = make_model("blend", spark, config, str(tmp_path)).fit(*pairs)
    alone = [
        rows_of(make_model(name, spark, config, str(tmp_path)).fit(*pairs).item_weights).toPandas()
        for name in weights
    ]
    kept = [part.set_index(["src", "dst"])["weight"] for part in alone]
    expected = (3.0 * kept[0]).add(0.5 * kept[1], fill_value=0).sort_index()
    found = rows_of(blend.item_weights).toPandas().set_index(["src", "dst"])["weight"].sort_index()
    assert list(found.index) == list(expected.index)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_held_out_pairs_can_be_left_out_of_the_vectors(spark, pairs, tmp_path):
    model = make_model("lightgcn", spark, CONFIG, str(tmp_path))
    without = matrix_of(model.without_validation().fit(*pairs).user_vectors)
    with capture_logs() as logs:
        taken_in = matrix_of(model.fit(*pairs).user_vectors)
    assert not [entry for entry in logs if entry["event"] == "round"]  # they share the rounds
    assert not np.allclose(without, taken_in)


def test_a_fit_that_a_blend_shares_is_that_of_the_model_alone(spark, pairs, tmp_path):
    weights = {"item_knn": 3.0, "graph_filter": 0.5}
    config = CONFIG.model_copy(update={"blend": BlendConfig(weights=weights)})
    model = make_model("item_knn", spark, config, str(tmp_path))
    with SharedFits(*pairs, later=["item_knn"]) as fits:
        blend = make_model("blend", spark, config, str(tmp_path)).with_fits(fits)
        blend.fit(*pairs).release()
        shared = fits.last("item_knn", None)  # None: there is nothing left to fit

    with shared, model.fit(*pairs) as alone:
        found, expected = (rows_of(m.item_weights).toPandas() for m in (shared, alone))

    order = ["src", "dst"]
    found, expected = (f.sort_values(order, ignore_index=True) for f in (found, expected))
    pd.testing.assert_frame_equal(found, expected)
