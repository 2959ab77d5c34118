"""Top items per user through Spark, against scores computed in NumPy."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from chispa import assert_df_equality

from interest_graph.item_weights import as_blocks
from interest_graph.recommend import packed
from interest_graph.recommend.catalogue import pack_weights, read_catalogue
from interest_graph.recommend.topk import (
    HISTORY_COLUMNS,
    RANKED_COLUMNS,
    gather_histories,
    rank_batch,
    top_k,
)
from interest_graph.weight_blocks import blocks_of_rows, parts_of

VECTORS = "key STRING, vector ARRAY<FLOAT>"
WEIGHTS = "src STRING, dst STRING, weight FLOAT"
EDGES = "user_id STRING, item_id STRING, weight DOUBLE"


def vectors(spark, prefix, matrix):
    rows = [(f"{prefix}{i:02d}", [float(x) for x in row]) for i, row in enumerate(matrix)]
    return spark.createDataFrame(rows, VECTORS)


def item_weights(spark, matrix):
    entries = zip(*np.nonzero(matrix), strict=True)
    rows = [(f"i{j:02d}", f"i{i:02d}", float(matrix[j, i])) for j, i in entries]
    return spark.createDataFrame(rows, WEIGHTS)


@pytest.fixture(scope="module")
def world():
    """30 users, 40 items; small whole numbers, so that sums are exact and ties are many."""
    rng = np.random.default_rng(3)
    history = rng.integers(1, 4, (30, 40)) * (rng.random((30, 40)) < 0.1)
    user, item = rng.integers(-2, 3, (30, 6)), rng.integers(-2, 3, (40, 6))
    weights = rng.integers(1, 3, (40, 40)) * (rng.random((40, 40)) < 0.05)
    return history, user, item, weights


def histories_of(spark, history):
    pairs = zip(*np.nonzero(history), strict=True)
    rows = [(f"u{u:02d}", f"i{i:02d}", float(history[u, i])) for u, i in pairs]
    return gather_histories(spark.createDataFrame(rows, EDGES))


def expected_top(scores, history, k):
    rows = []
    for u in np.flatnonzero(history.any(axis=1)):
        unseen = [i for i in range(scores.shape[1]) if not history[u, i]]
        best = sorted(unseen, key=lambda i: (-scores[u, i], i))[:k]
        rows += [(f"u{u:02d}", r, f"i{i:02d}", float(scores[u, i])) for r, i in enumerate(best, 1)]
    return rows


@pytest.mark.parametrize("given", [lambda rows: rows, as_blocks], ids=["rows", "blocks"])
def test_top_k_of_vectors_and_item_weights(spark, world, given):
    history, user, item, weights = world

    ranked = top_k(
        histories_of(spark, history),
        k=5,
        user_vectors=vectors(spark, "u", user),
        item_vectors=vectors(spark, "i", item),
        item_weights=given(item_weights(spark, weights)),
    )

    scores = user @ item.T + history @ weights
    expected = spark.createDataFrame(expected_top(scores, history, 5), RANKED_COLUMNS)
    assert_df_equality(ranked, expected, ignore_row_order=True, ignore_nullable=True)


def test_top_k_of_item_weights_alone_ranks_only_their_items(spark):
    edges = [("u", "a", 2.0), ("u", "e", 0.0), ("u", "unknown", 1.0)]
    edges += [("stranger", "unknown", 1.0), ("bystander", "a", 0.0)]
    weights = [("a", "b", 1.0), ("a", "c", 3.0), ("c", "d", 9.0), ("c", "e", 1.0)]

    ranked = top_k(
        gather_histories(spark.createDataFrame(edges, EDGES)),
        k=9,
        item_weights=spark.createDataFrame(weights, WEIGHTS),
    )

    expected = [("u", 1, "c", 6.0), ("u", 2, "b", 2.0), ("u", 3, "d", 0.0)]
    assert [tuple(row) for row in ranked.orderBy("rank").collect()] == expected


def test_a_user_without_history_is_ranked_by_the_vector(spark):
    histories = spark.createDataFrame(
        [("u00", [], [])], "user_id STRING, items ARRAY<STRING>, weights ARRAY<FLOAT>"
    )

    ranked = top_k(
        histories,
        k=1,
        user_vectors=vectors(spark, "u", [[1.0]]),
        item_vectors=vectors(spark, "i", [[1.0], [2.0]]),
    )

    assert [tuple(row) for row in ranked.collect()] == [("u00", 1, "i01", 2.0)]


def test_partitioning_does_not_change_the_result(spark, world):
    history, user, item, _ = world
    parts = {"user_vectors": vectors(spark, "u", user), "item_vectors": vectors(spark, "i", item)}
    histories = histories_of(spark, history).persist()
    partitions = spark.conf.get("spark.sql.shuffle.partitions")

    few = top_k(histories, k=5, **parts).toPandas()
    spark.conf.set("spark.sql.shuffle.partitions", "7")
    many = top_k(histories, k=5, **parts).toPandas()
    spark.conf.set("spark.sql.shuffle.partitions", partitions)
    histories.unpersist()

    order = ["user_id", "rank"]
    few, many = (f.sort_values(order, ignore_index=True) for f in (few, many))
    pd.testing.assert_frame_equal(few, many)


def test_user_vectors_without_item_vectors_are_refused(spark):
    frame = spark.createDataFrame([("u", [1.0])], VECTORS)

    with pytest.raises(ValueError, match="together"):
        top_k(frame, k=1, user_vectors=frame)


def test_blocks_of_items_give_what_one_block_gives(spark, world, monkeypatch):
    history, user, item, weights = world
    histories = histories_of(spark, history).unionByName(
        # Known by one item that they have met; by none but of weight 0; by none at all.
        spark.createDataFrame(
            [("v1", ["i07"], [1.0]), ("v2", ["i07"], [0.0]), ("v3", ["other"], [1.0])],
            HISTORY_COLUMNS,
        )
    )
    parts = {
        "user_vectors": vectors(spark, "u", user),
        "item_vectors": vectors(spark, "i", item),
        "item_weights": item_weights(spark, weights),
    }
    monkeypatch.setattr(packed, "BLOCK_BYTES", 400)  # an item has about 50: blocks of eight

    ranked = top_k(histories, k=50, **parts)

    scores = np.vstack([user @ item.T + history @ weights, weights[7]])
    seen = np.vstack([history, np.eye(40, dtype=int)[7]])
    expected = expected_top(scores, seen, 50)
    expected = [("v1" if who == "u30" else who, *rest) for who, *rest in expected]
    assert sorted(tuple(row) for row in ranked.collect()) == sorted(expected)


def tables_of(rows, n_blocks=1, block=0):
    """What the task of one block unpacks of weights (src, dst, weight)."""
    src, dst, weight = zip(*rows, strict=True)
    columns = {"src": src, "dst": dst, "weight": pa.array(weight, pa.float32())}
    streams = {}
    for row in pack_weights(n_blocks, blocks_of_rows([pa.record_batch(columns)])):
        for _, name, stream in packed.streams_in(row):
            if row["block"][0].as_py() == block:
                streams.setdefault(name, []).append(stream)
    return packed.unpack(streams)


def user_batch(items, weights):
    return pa.record_batch(
        {
            "user_id": ["u"],
            "items": [items],
            "weights": pa.array([weights], pa.list_(pa.float32())),
            "vector": pa.nulls(1, pa.list_(pa.float32())),
        }
    )


def test_dense_and_sparse_item_weights_score_alike():
    pairs = [("a", "b", 0.5), ("b", "a", 0.25), ("c", "a", 0.125)]
    # Ten more items make the same matrix sparse.
    more = [(f"x{i}", f"y{i}", 1.0) for i in range(10)]

    def best(rows):
        catalogue = read_catalogue(tables_of(rows), is_weighted=True, is_whole=True)
        (found,) = rank_batch(user_batch(["c", "b"], [1.0, 2.0]), catalogue, 1)
        return type(catalogue.state.weights), found.to_pylist()

    (dense, first), (sparse, second) = best(pairs), best(pairs + more)

    assert dense is not sparse
    assert first == second == [{"user_id": "u", "rank": 1, "item_id": "a", "score": 0.625}]


def test_one_block_of_several_ranks_its_items_and_marks_users_it_knows():
    assert parts_of(pa.array(["a", "b", "d", "e"]), 2).tolist() == [1, 1, 0, 0]
    pairs = [("d", "a", 0.5), ("a", "d", 0.25), ("e", "b", 2.0), ("b", "d", 1.0)]
    tables = tables_of(pairs, n_blocks=2, block=1)
    catalogue = read_catalogue(tables, is_weighted=True, is_whole=False)

    marks, ranked = rank_batch(user_batch(["d", "a"], [1.0, 2.0]), catalogue, 3)

    assert catalogue.item_ids.to_pylist() == ["a", "b"]
    assert marks.to_pylist() == [{"user_id": "u", "rank": None, "item_id": None, "score": None}]
    assert ranked.to_pylist() == [{"user_id": "u", "rank": 1, "item_id": "b", "score": 0.0}]
