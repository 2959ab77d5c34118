"""Item-item similarity against a dense reference."""

from __future__ import annotations

import numpy as np
import pytest
from pyspark.sql import functions as F

from interest_graph.config import GraphConfig
from interest_graph.graph import similarity
from interest_graph.graph.project import project
from interest_graph.partition_keys import keys_of_partitions, spark_hash


def _config(engine, k=5, **projection):
    return GraphConfig(neighbours_per_item=k, projection={"engine": engine, **projection})


def _edges(spark, n_users=80, n_items=40, seed=3):
    random = np.random.default_rng(seed)
    popularity = random.zipf(1.5, n_items).clip(max=30) / 40.0
    touched = random.random((n_users, n_items)) < popularity
    rows = [(f"u{u}", f"i{i:03}", 1.0) for u, i in zip(*touched.nonzero(), strict=True)]
    return spark.createDataFrame(rows, "src STRING, dst STRING, weight DOUBLE"), touched.astype(
        float
    )


def _reference(touched, k, measure="cosine", shrinkage=0.0):
    shared, sizes = touched.T @ touched, touched.sum(axis=0)
    product = np.maximum(np.outer(sizes, sizes), 1.0)
    with np.errstate(divide="ignore"):
        value = {
            "cosine": shared / np.sqrt(product),
            "jaccard": shared / np.maximum(sizes[:, None] + sizes - shared, 1.0),
            "pmi": np.maximum(np.log(shared * len(touched) / product), 0.0),
        }[measure]
    if shrinkage:
        value = value * (shared / (shared + shrinkage))
    np.fill_diagonal(value, 0.0)
    best = {}
    for i, row in enumerate(value):
        order = [j for j in np.lexsort((np.arange(len(row)), -row)) if row[j] > 0][:k]
        best |= {(f"i{i:03}", f"i{j:03}"): (row[j], shared[i, j]) for j in order}
    return best


def _as_dict(projected):
    return {(r.src, r.dst): (r.weight, r.n_shared) for r in projected.collect()}


@pytest.mark.parametrize(
    ("engine", "measure", "shrinkage"),
    [
        ("blocks", "cosine", 0.0),
        ("join", "cosine", 0.0),
        ("blocks", "pmi", 10.0),
        ("join", "jaccard", 3.0),
    ],
)
def test_projection_equals_a_dense_reference_in_both_engines(spark, engine, measure, shrinkage):
    edges, touched = _edges(spark)

    projected = project(edges, _config(engine, measure=measure, shrinkage=shrinkage))

    expected = _reference(touched, 5, measure, shrinkage)
    got = _as_dict(projected)
    assert {pair: n for pair, (_, n) in got.items()} == {
        pair: n for pair, (_, n) in expected.items()
    }
    assert all(got[pair][0] == pytest.approx(expected[pair][0], rel=1e-14) for pair in expected)


def test_heavy_users_make_pairs_of_their_heaviest_edges_only(edges):
    graph = edges(
        *[("heavy", f"i{n}", float(n)) for n in range(9)],
        ("light", "i0", 1.0),
        ("light", "i1", 1.0),
    )

    projected = project(graph, _config("auto", max_items_per_user=3))

    assert {r.src for r in projected.collect()} == {"i0", "i1", "i6", "i7", "i8"}


def test_hash_of_partition_keys_is_sparks(spark):
    rows = spark.range(50).select(F.hash(F.col("id").cast("int")).alias("hash")).collect()

    assert [spark_hash(value) for value in range(50)] == [row.hash for row in rows]
    assert [spark_hash(key) % 7 for key in keys_of_partitions(7)] == list(range(7))


def test_pieces_of_a_block_do_not_change_the_result(monkeypatch):
    from scipy import sparse

    touched = np.random.default_rng(0).random((50, 30)) < 0.3
    matrix = sparse.csr_array(touched.astype(np.int32))
    sizes = touched.sum(axis=0).astype(float)

    def similar():
        pieces = similarity.most_similar(
            matrix, sizes, np.arange(30), k=4, similarity=similarity.Similarity()
        )
        return [np.concatenate(part) for part in zip(*pieces, strict=True)]

    whole = similar()
    monkeypatch.setattr(similarity, "_PRODUCTS_AT_ONCE", 200)

    assert all(np.array_equal(a, b) for a, b in zip(whole, similar(), strict=True))
