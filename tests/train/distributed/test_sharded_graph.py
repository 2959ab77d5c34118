"""Shards hold every edge once, are of equal size, and do not depend on the order of rows."""

from __future__ import annotations

import numpy as np
import pytest
from pyspark.sql import functions as F
from scipy import sparse
from tests.train.graphs import COSTS, EDGES, frame_of, random_matrix, sharded

from interest_graph.arrays import unpack_texts
from interest_graph.errors import DataError, TrainingError
from interest_graph.train.distributed.array_codec import unpack
from interest_graph.train.kernels.sparse import csr


@pytest.fixture(scope="module")
def matrix():
    return random_matrix(80, 25, 0.15, seed=0)


def shards_of(graph):
    """shard_id -> its arrays, and the shards in each partition."""
    rows = graph.rows.withColumn("partition", F.spark_partition_id()).toPandas()
    per_partition = rows.groupby("partition")["shard_id"].nunique().to_list()
    import pyarrow as pa

    table = pa.Table.from_pandas(rows.drop(columns="partition"), preserve_index=False)
    return {shard: arrays for _, shard, arrays in unpack(table.to_batches())}, per_partition


def joined(shards, n_items):
    """All shards' rows as one matrix in the order of the user ids."""
    ids = np.concatenate([unpack_texts(shard["user_ids"]) for shard in shards.values()])
    stacked = sparse.vstack([csr(shard, n_items) for shard in shards.values()], format="csr")
    return stacked[np.argsort(ids)]


@pytest.mark.parametrize("n_shards", [1, 3])
def test_shards_hold_every_edge_once_one_shard_a_partition(spark, matrix, n_shards):
    graph = sharded(frame_of(spark, matrix).repartition(4), n_shards)

    shards, per_partition = shards_of(graph)

    assert per_partition == [1] * n_shards
    np.testing.assert_array_equal(joined(shards, 25).toarray(), matrix.toarray())
    assert (graph.n_users, graph.n_edges, len(graph.items)) == (80, matrix.nnz, 25)
    np.testing.assert_allclose(graph.items.degrees, matrix.sum(axis=0).A1, rtol=1e-6)
    graph.release()


def test_order_of_rows_does_not_change_the_shards(spark, matrix):
    edges = frame_of(spark, matrix)

    first, again = (
        shards_of(sharded(rows, 3))[0]
        for rows in (edges, edges.orderBy(F.desc("weight")).repartition(5))
    )

    for shard_id, arrays in first.items():
        for name, values in arrays.items():
            np.testing.assert_array_equal(values, again[shard_id][name])


def test_held_out_pairs_stay_beside_the_edges(spark):
    edges = spark.createDataFrame([("a", "x", 2.0), ("b", "y", 1.0)], EDGES)
    held_out = spark.createDataFrame([("a", "z", 3.0)], EDGES)

    graph = sharded(edges, 1, held_out=held_out)

    (shard,) = shards_of(graph)[0].values()
    assert graph.items.ids_of([2, 0, 1]) == ("z", "x", "y")
    assert graph.items.degrees.tolist() == [2, 1, 0]
    assert graph.items.all_degrees.tolist() == [2, 1, 3]
    np.testing.assert_array_equal(csr(shard, 3).toarray(), [[2, 0, 0], [0, 1, 0]])
    np.testing.assert_array_equal(csr(shard, 3, "held_").toarray(), [[0, 0, 3], [0, 0, 0]])


def test_a_skewed_graph_is_balanced(spark):
    rng = np.random.default_rng(0)
    sizes = np.minimum(300, rng.zipf(1.6, size=400))
    rows = [(f"u{u}", f"i{i}", 1.0) for u, n in enumerate(sizes) for i in range(n)]

    graph = sharded(spark.createDataFrame(rows, EDGES), 4)

    counts = [
        COSTS.shard_bytes(len(shard["indptr"]) - 1, len(shard["items"]))
        for shard in shards_of(graph)[0].values()
    ]
    assert max(counts) < 1.05 * np.mean(counts)


def test_a_graph_without_edges_is_refused(spark):
    with pytest.raises(TrainingError, match="no user-item edges"):
        sharded(spark.createDataFrame([], EDGES), 2)


@pytest.mark.parametrize("weight", [0.0, -1.0, float("nan"), float("inf"), None])
def test_weights_must_be_finite_and_positive(spark, weight):
    edges = spark.createDataFrame([("a", "x", 1.0), ("a", "y", weight)], EDGES)

    with pytest.raises(DataError, match=r"finite and above 0 \(1 rows\); for example y"):
        sharded(edges, 1)


def test_there_are_never_more_shards_than_users(spark):
    edges = spark.createDataFrame([("a", "x", 1.0), ("b", "y", 1.0)], EDGES)

    graph = sharded(edges, 3)

    assert graph.n_shards == 2
    assert sorted(shards_of(graph)[0]) == [0, 1]
