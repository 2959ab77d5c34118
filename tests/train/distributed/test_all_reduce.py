"""Products by shards are exact, whatever the number of shards and the order of tasks."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from tests.train.graphs import frame_of, random_matrix, sharded, symmetric

from interest_graph.arrays import shipping
from interest_graph.train.distributed.all_reduce import gram, item_sums, user_rows
from interest_graph.train.distributed.array_codec import PACKED_COLUMNS, pack
from interest_graph.train.kernels.sparse import SYMMETRIC, Scaling
from interest_graph.train.models.spectral import project_users

N_ITEMS, DIMENSION = 40, 6


@pytest.fixture(scope="module")
def matrix():
    return random_matrix(90, N_ITEMS, 0.1, seed=5)


@pytest.fixture(scope="module")
def Y():  # noqa: N802 - a matrix
    return np.random.default_rng(1).standard_normal((N_ITEMS, DIMENSION)).astype(np.float32)


@pytest.fixture(scope="module", params=[1, 4])
def graph(spark, matrix, request):
    held_out = random_matrix(90, N_ITEMS, 0.02, seed=6).multiply(matrix.toarray() == 0).tocsr()
    cut = sharded(frame_of(spark, matrix), request.param, held_out=frame_of(spark, held_out))
    yield cut, held_out
    cut.release()


def test_gram_product_is_exact(graph, matrix, Y):
    R = symmetric(matrix)

    np.testing.assert_allclose(gram(graph[0], Y), R.T @ (R @ Y), atol=1e-6)


def test_held_out_pairs_can_be_included(graph, matrix, Y):
    R = symmetric(matrix + graph[1])

    with_held_out = gram(graph[0], Y, Scaling(with_held_out=True))

    np.testing.assert_allclose(with_held_out, R.T @ (R @ Y), atol=1e-6)


def test_degree_exponents_can_be_chosen(graph, matrix, Y):
    R = matrix.toarray().astype(np.float64)
    R = R * R.sum(axis=0) ** -0.7

    np.testing.assert_allclose(
        gram(graph[0], Y, Scaling(user=0, item=-0.7)), R.T @ (R @ Y), atol=1e-5
    )


def test_users_rows_are_projections_by_user_id(spark, graph, matrix, Y):
    with shipping(spark, {"Y": Y}) as shared:
        rows = user_rows(
            graph[0], lambda *args: project_users(*args, scaling=SYMMETRIC), shared, SYMMETRIC.names
        ).toPandas()

    rows = rows.sort_values("key")
    np.testing.assert_allclose(np.stack(rows["vector"]), symmetric(matrix) @ Y, atol=1e-6)
    both = matrix + graph[1]
    np.testing.assert_array_equal(rows["n_edges"], np.diff(both.indptr))
    assert set(rows["shard_id"]) == set(range(graph[0].n_shards))


def test_sums_do_not_depend_on_the_order_of_rows(spark):
    parts = np.random.default_rng(0).standard_normal((8, 50, 3)).astype(np.float32) * 10.0**7
    frames = [
        batch.to_pandas() for s, part in enumerate(parts) for batch in pack(s, s, {"sum": part})
    ]

    first, again = (
        item_sums(spark.createDataFrame(pd.concat(order), PACKED_COLUMNS).repartition(3))["sum"]
        for order in (frames, frames[::-1])
    )

    np.testing.assert_array_equal(first, again)
    np.testing.assert_allclose(first, parts.astype(np.float64).sum(axis=0), rtol=1e-6)
