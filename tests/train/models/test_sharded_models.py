"""Spectral and LightGCN find planted groups, on any number of shards."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from tests.train.graphs import frame_of, matrix_of, planted_matrix, symmetric

from interest_graph.config import TrainConfig
from interest_graph.errors import TrainingError
from interest_graph.train.models.lightgcn import LightGCN
from interest_graph.train.models.spectral import Spectral

N_USERS, N_ITEMS, N_GROUPS = 60, 30, 3


@pytest.fixture(scope="module")
def matrix():
    return planted_matrix(N_USERS, N_ITEMS, N_GROUPS, 0.5, seed=2)


def settings(**changes):
    tree = {"n_shards": 2, "dimension": 8, "batch_size": 128, "learning_rate": 0.02}
    return TrainConfig.model_validate({**tree, "max_rounds": 4, **changes})


def fit(maker, spark, matrix, folder, **changes):
    return maker(spark, settings(**changes), str(folder)).fit(frame_of(spark, matrix))


@pytest.fixture(scope="module")
def learnt(spark, matrix, tmp_path_factory):
    """Both models fitted once."""
    return {
        maker: fit(
            maker, spark, matrix, tmp_path_factory.mktemp(maker.__name__), dimension=N_GROUPS
        )
        for maker in (Spectral, LightGCN)
    }


def share_of_own_group(fitted, matrix):
    """Of each user's best unseen items, as many as the group has left, the share of its own."""
    scores = matrix_of(fitted.user_vectors) @ matrix_of(fitted.item_vectors).T
    users, items = np.indices(scores.shape)
    is_own = users % N_GROUPS == items % N_GROUPS
    scores[matrix.nonzero()] = -np.inf
    best = np.argsort(-scores, axis=1)[:, :3]
    return np.take_along_axis(is_own, best, axis=1).mean()


@pytest.mark.parametrize("maker", [Spectral, LightGCN])
def test_planted_groups_come_back(learnt, matrix, maker):
    fitted = learnt[maker]

    assert share_of_own_group(fitted, matrix) > 0.95
    assert fitted.shards.groupBy("shard_id").count().count() == 2
    assert fitted.shards.agg({"n_edges": "sum"}).first()[0] == matrix.nnz


def test_spectral_scores_are_the_low_pass_filter(spark, matrix, tmp_path):
    fitted = fit(Spectral, spark, matrix, tmp_path, n_shards=3, dimension=5)

    scores = matrix_of(fitted.user_vectors) @ matrix_of(fitted.item_vectors).T
    R = symmetric(matrix)
    _, _, V = np.linalg.svd(R)
    expected = (R @ V[:5].T @ V[:5]) * np.sqrt(matrix.sum(axis=0).A1)
    np.testing.assert_allclose(scores, expected, atol=1e-3)


def test_spectral_can_be_sharpened_and_leave_users_as_they_are(spark, matrix, tmp_path):
    sharp = {"dimension": 5, "sharpening": 2.5, "user_exponent": 0.0}
    fitted = fit(Spectral, spark, matrix, tmp_path, spectral=sharp)

    scores = matrix_of(fitted.user_vectors) @ matrix_of(fitted.item_vectors).T
    R, degrees = symmetric(matrix), matrix.sum(axis=0).A1
    _, _, V = np.linalg.svd(R)
    step = sum(np.linalg.matrix_power(-2.5 * R.T @ R, n) / math.factorial(n) for n in range(5))
    low_pass = matrix.toarray() / np.sqrt(degrees) @ V[:5].T @ V[:5] * np.sqrt(degrees)
    np.testing.assert_allclose(scores, low_pass @ step, atol=2e-3)


def test_final_vectors_are_one_exact_propagation(spark, matrix, tmp_path):
    fitted = fit(LightGCN, spark, matrix, tmp_path, n_shards=3, max_rounds=1)

    users, items = first_vectors(spark, tmp_path, n_shards=3)
    R = symmetric(matrix)
    layers = [(users, items)]
    for _ in range(3):
        users, items = R @ items, R.T @ users
        layers.append((users, items))
    mean_users, mean_items = (np.mean(part, axis=0) for part in zip(*layers, strict=True))
    np.testing.assert_allclose(matrix_of(fitted.user_vectors), mean_users, atol=1e-5)
    np.testing.assert_allclose(matrix_of(fitted.item_vectors), mean_items, atol=1e-5)


def first_vectors(spark, folder, n_shards, number=1):
    """Layer 0 after a round, from the checkpoint, in the order of the ids."""
    import pyarrow as pa

    from interest_graph.arrays import load_arrays
    from interest_graph.train.distributed.array_codec import unpack

    kept_in = json.loads((folder / "progress.json").read_text())["kept_in"]
    place = kept_in.get(str(number), number)
    stored = spark.read.parquet(f"{folder}/round-{place:05}/shards")
    rows = stored.where(f"name = 'users' AND round = {number}").drop("round").toPandas()
    table = pa.Table.from_pandas(rows, preserve_index=False)
    by_shard = {shard: arrays["users"] for _, shard, arrays in unpack(table.to_batches())}
    stored = (
        spark.read.parquet(f"{folder}/vectors").where("kind = 'user'").orderBy("key").toPandas()
    )
    users = np.empty((N_USERS, by_shard[0].shape[1]), np.float32)
    for shard in range(n_shards):
        users[stored["shard_id"] == shard] = by_shard[shard]
    return users, load_arrays(folder / f"round-{number:05}" / "items.safetensors")["items"]


def test_cosine_gives_vectors_of_length_one_that_find_the_groups(spark, matrix, tmp_path):
    likeness = {"loss": "softmax", "similarity": "cosine", "temperature": 0.2}

    fitted = fit(LightGCN, spark, matrix, tmp_path, dimension=N_GROUPS, **likeness)

    for vectors in (fitted.user_vectors, fitted.item_vectors):
        np.testing.assert_allclose(np.linalg.norm(matrix_of(vectors), axis=1), 1, atol=1e-5)
    assert share_of_own_group(fitted, matrix) > 0.95


def test_without_layers_vectors_are_the_trained_ones_and_find_the_groups(spark, matrix, tmp_path):
    changes = {"n_layers": 0, "loss": "bsl", "negatives": "in_batch", "similarity": "cosine"}
    scores = {"score": "dot", "temperature": 0.3, "start": "random", "learning_rate": 0.05}

    fitted = fit(LightGCN, spark, matrix, tmp_path, passes_per_round=8, **changes, **scores)

    users, items = first_vectors(spark, tmp_path, n_shards=2, number=4)
    np.testing.assert_allclose(matrix_of(fitted.user_vectors), users, atol=1e-6)
    np.testing.assert_allclose(matrix_of(fitted.item_vectors), items, atol=1e-6)
    assert share_of_own_group(fitted, matrix) > 0.9  # chance: a third


def test_log_has_a_row_a_round_and_shard(learnt):
    rows = learnt[LightGCN].log.orderBy("round", "shard_id").collect()

    assert [(row["round"], row.shard_id) for row in rows] == [
        (number, shard) for number in (1, 2, 3, 4) for shard in (-1, 0, 1)
    ]
    assert all(np.isfinite(row.loss) and row.peak_memory_mb > 0 for row in rows)


def test_a_diverging_loss_names_the_shard(spark, matrix, tmp_path):
    with pytest.raises(TrainingError, match=r"shard \d: the loss is (nan|inf)"):
        fit(LightGCN, spark, matrix, tmp_path, learning_rate=1e30)
