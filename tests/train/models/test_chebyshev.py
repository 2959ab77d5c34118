"""The Chebyshev model as a whole, and the default model that is built around it."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.polynomial import chebyshev as reference
from structlog.testing import capture_logs
from tests.train.graphs import frame_of, matrix_of, planted_matrix, random_matrix, symmetric

from interest_graph.config import TrainConfig
from interest_graph.errors import TrainingError
from interest_graph.item_weights import rows_of
from interest_graph.train.edges import EdgeCounts, hold_out_edges
from interest_graph.train.kernels.chebyshev import coefficients
from interest_graph.train.models.blend import auto, lightgcn_minutes
from interest_graph.train.registry import make_model

SMALL, GOWALLA = EdgeCounts(75_000, 943, 1_650), EdgeCounts(810_128, 29_858, 40_981)
HUGE = EdgeCounts(500_000_000, 20_000_000, 5_000_000)


def config(**settings) -> TrainConfig:
    return TrainConfig.model_validate({"model": "chebyshev", "n_shards": 3, **settings})


def test_scores_are_the_polynomial_and_the_ideal_filter_between_powers_of_degrees(spark, tmp_path):
    matrix = random_matrix(40, 25, density=0.2, seed=2)
    settings = {"degree_exponent": [0.3], "flatness": [1.5], "ideal_weight": [0.7]}
    one = config(chebyshev={**settings, "n_vectors": [4]})

    fitted = make_model("chebyshev", spark, one, str(tmp_path)).fit(frame_of(spark, matrix))

    W = np.zeros((25, 25))
    for row in rows_of(fitted.item_weights).collect():
        W[int(row.src[-5:]), int(row.dst[-5:])] = row.weight
    vectors = matrix_of(fitted.user_vectors) @ matrix_of(fitted.item_vectors).T
    R, degrees = symmetric(matrix), matrix.sum(axis=0).A1
    values, eigenvectors = np.linalg.eigh(np.eye(25) - 2 * R.T @ R)
    response = reference.chebval(values, coefficients(1.5))
    weights = degrees[:, None] ** -0.3 * (eigenvectors * response @ eigenvectors.T) * degrees**0.3
    np.fill_diagonal(weights, 0)
    V = np.linalg.svd(R)[2][:4].T
    ideal = 0.7 * matrix.toarray() / degrees**0.3 @ V @ V.T * degrees**0.3
    np.testing.assert_allclose(W, weights, atol=1e-4)
    np.testing.assert_allclose(vectors, ideal, atol=2e-3)
    assert fitted.shards.count() == 40


def test_the_settings_are_chosen_on_the_validation_pairs(spark, tmp_path):
    edges = frame_of(spark, planted_matrix(60, 40, n_groups=4, density=0.5, seed=3))
    known, held_out = (part.cache() for part in hold_out_edges(edges, 0.2, seed=1))
    choices = {"degree_exponent": [0.4, 0.0], "flatness": [1.5, 10.0], "n_vectors": [8, 4]}

    fitted = make_model("chebyshev", spark, config(chebyshev=choices), str(tmp_path)).fit(
        known, held_out
    )

    log = [row.metric for row in fitted.log.collect()]
    assert len(log) == 2  # the best filter of each degree exponent
    assert min(log) > 0.5


def test_a_default_blend_takes_the_filters_in_with_one_fit(spark, tmp_path):
    edges = frame_of(spark, planted_matrix(60, 40, n_groups=4, density=0.5, seed=3))
    known, held_out = (part.cache() for part in hold_out_edges(edges, 0.2, seed=1))
    settings = config(
        model="auto",
        auto={"sources": ["chebyshev", "item_knn"]},
        chebyshev={"n_vectors": [4]},
        item_knn={"neighbours": [10]},
    )

    with capture_logs() as logs:
        fitted = make_model("auto", spark, settings, str(tmp_path)).fit(known, held_out)

    assert fitted.name == "auto"
    named = [entry["source"].partition(":")[0] for entry in logs if entry["event"] == "blending"]
    assert named == ["item_knn", "filters", "filters", "filters"]
    blended = next(entry["metric"] for entry in logs if entry["event"] == "blended")
    alone = max(entry["metric"] for entry in logs if entry["event"] == "blending")
    assert blended >= alone - 0.02


def test_a_graph_beyond_a_workers_memory_is_refused_before_the_choice(spark, tmp_path):
    edges = frame_of(spark, random_matrix(10, 60, density=0.1, seed=1))
    known, held_out = hold_out_edges(edges, 0.3, seed=1)
    model = make_model("chebyshev", spark, config(worker_mb=1), str(tmp_path))

    with pytest.raises(TrainingError, match=r"chebyshev needs about .* MB in one worker"):
        model.fit(known, held_out)


IN_ONE_WORKER = ["chebyshev", "ease", "local_ease", "implicit_als"]


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        (SMALL, [*IN_ONE_WORKER, "lightgcn"]),
        (GOWALLA, IN_ONE_WORKER),
        (HUGE, [*IN_ONE_WORKER, "spectral", "als"]),
    ],
)
def test_default_sources_suit_the_size(spark, size, expected):
    settings = config(model="auto")

    assert list(auto(spark, settings, "").sources(size)) == expected
    assert (lightgcn_minutes(size, settings) < settings.auto.minutes) == ("lightgcn" in expected)
