"""What every model promises, whichever way it learns."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from pyspark.sql import functions as F

from interest_graph.cache_scope import persistent_rdds
from interest_graph.config import TrainConfig
from interest_graph.config.models import SINGLE_MODELS
from interest_graph.errors import ConfigError, TrainingError
from interest_graph.filesystem import work_folder
from interest_graph.item_weights import rows_of
from interest_graph.train.registry import MODEL_NAMES, make_model

MODELS = MODEL_NAMES
PERSONAL = tuple(name for name in MODELS if name != "popularity")
EDGES = "user_id STRING, item_id STRING, weight DOUBLE"
N_USERS, N_ITEMS, N_GROUPS = 24, 16, 2
SETTINGS = TrainConfig.model_validate(
    {
        "dimension": 4,
        "max_rounds": 4,
        "als": {"rank": [4], "iterations": 5},
        "implicit_als": {"dimension": [4]},
        "blend": {"sources": ["local_ease", "als"]},
        "auto": {"sources": ["chebyshev", "ease"]},
        "validation": {"fraction": 0.1},
    }
)


@pytest.fixture(scope="module")
def edges(spark):
    """Two groups: even users know even items, odd users odd ones; each user lacks one of them."""
    cells = product(range(N_USERS), range(N_ITEMS))
    rows = [
        (f"user{u:02}", f"item{i:02}", 1.0)
        for u, i in cells
        if u % N_GROUPS == i % N_GROUPS and i != hidden_item(u)
    ]
    return spark.createDataFrame(rows, EDGES).repartition(2).cache()


@pytest.fixture(scope="module")
def fitted(spark, edges, tmp_path_factory):
    """Each model fitted once to the two groups."""
    folder = tmp_path_factory.mktemp("models")
    return {
        name: make_model(name, spark, SETTINGS, str(folder / name)).fit(edges) for name in MODELS
    }


def hidden_item(user: int) -> int:
    """The item of the user's own group that the training edges lack."""
    return user % N_GROUPS + N_GROUPS * (user // N_GROUPS % (N_ITEMS // N_GROUPS))


def score_matrix(model) -> np.ndarray:
    """score(u, i) by the formula of FittedModel, in plain NumPy: [N_USERS, N_ITEMS]."""
    scores = np.zeros((N_USERS, N_ITEMS))
    if model.user_vectors is not None:
        users, items = (vectors(part) for part in (model.user_vectors, model.item_vectors))
        scores += [
            [users[f"user{u:02}"] @ items[f"item{i:02}"] for i in range(N_ITEMS)]
            for u in range(N_USERS)
        ]
    if model.item_weights is not None:
        weights = np.zeros((N_ITEMS, N_ITEMS))
        for row in rows_of(model.item_weights).collect():
            weights[int(row.src[-2:]), int(row.dst[-2:])] = row.weight
        scores += history() @ weights
    return scores


def vectors(frame) -> dict[str, np.ndarray]:
    return {row.key: np.array(row.vector) for row in frame.collect()}


def history() -> np.ndarray:
    users, items = np.indices((N_USERS, N_ITEMS))
    hidden = np.vectorize(hidden_item)(users)
    return ((users % N_GROUPS == items % N_GROUPS) & (items != hidden)).astype(float)


@pytest.mark.parametrize("name", PERSONAL)
def test_hidden_item_comes_back_first(fitted, name):
    scores = score_matrix(fitted[name])
    scores[history() > 0] = -np.inf

    first = scores.argmax(axis=1)

    assert first.tolist() == [hidden_item(user) for user in range(N_USERS)]


@pytest.mark.parametrize("name", MODELS)
def test_scores_are_finite_and_not_all_equal(fitted, name):
    scores = score_matrix(fitted[name])

    assert np.isfinite(scores).all()
    assert scores.std() > 0 or name == "popularity"  # all items have equally many users


@pytest.mark.parametrize("name", MODELS)
def test_fitting_again_gives_the_same_model(spark, edges, fitted, name, tmp_path):
    shuffled = edges.orderBy(F.rand(7)).repartition(3)

    with make_model(name, spark, SETTINGS, str(tmp_path)).fit(shuffled) as again:
        np.testing.assert_allclose(score_matrix(again), score_matrix(fitted[name]), atol=2e-4)


@pytest.fixture
def _leaves_nothing(spark):
    """Fails a test that leaves more in Spark's cache, or more files for workers, than before."""

    def left():
        files = work_folder(spark).glob("*.safetensors")
        return persistent_rdds(spark) | {path.name for path in files}

    before = left()
    yield
    assert left() <= before


@pytest.mark.usefixtures("_leaves_nothing")
@pytest.mark.parametrize("name", MODELS)
def test_validation_pairs_are_learnt_and_no_other_items_are_scored(spark, edges, name, tmp_path):
    known = edges.where("user_id != 'user00' OR item_id != 'item02'")
    held_out = spark.createDataFrame([("user00", "item02", 1.0), ("user00", "late", 1.0)], EDGES)

    with make_model(name, spark, SETTINGS, str(tmp_path)).fit(known, held_out) as model:
        assert scored_items(model) == {f"item{i:02}" for i in range(N_ITEMS)} | {"late"}


def scored_items(model) -> set[str]:
    found = set()
    if model.item_vectors is not None:
        found |= {row.key for row in model.item_vectors.collect()}
    if model.item_weights is not None:
        found |= {row.dst for row in rows_of(model.item_weights).collect()}
    return found


@pytest.mark.parametrize("name", MODELS)
def test_vectors_and_weights_have_the_agreed_columns(fitted, name):
    model = fitted[name]

    parts = {"vectors": [model.user_vectors, model.item_vectors], "weights": [model.item_weights]}
    columns = {
        kind: {tuple(p.dtypes) for p in group if p is not None} for kind, group in parts.items()
    }

    assert columns["vectors"] <= {(("key", "string"), ("vector", "array<float>"))}
    assert columns["weights"] <= {(("n_weights", "bigint"), ("data", "binary"))}


@pytest.mark.parametrize("name", MODELS)
def test_no_edges_is_one_clear_error(spark, edges, name, tmp_path):
    model = make_model(name, spark, SETTINGS, str(tmp_path))

    with pytest.raises(TrainingError, match="no user-item edges"):
        model.fit(edges.limit(0))


def test_unknown_model_names_the_known_ones(spark):
    with pytest.raises(ConfigError, match=r"unknown model 'svd'; allowed: .*item_knn.*lightgcn"):
        make_model("svd", spark, SETTINGS, "unused")


def test_the_settings_know_the_models_that_can_be_made():
    assert set(MODEL_NAMES) == {*SINGLE_MODELS, "blend", "auto"}
    for name in MODEL_NAMES:
        assert TrainConfig(model=name).model == name


def test_what_makes_no_model_is_refused(spark):
    with pytest.raises(ConfigError, match=r"train.model: builtins:print makes no model: .* no fit"):
        make_model("builtins:print", spark, SETTINGS, "unused")
