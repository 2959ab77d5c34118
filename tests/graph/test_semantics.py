"""Text neighbours, clusters and their names."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from interest_graph.graph.semantics import (
    cluster_names,
    semantic_edges,
    text_clusters,
    text_neighbours,
)


def test_neighbours_equal_a_full_sort():
    vectors = np.random.default_rng(0).normal(size=(60, 8)).astype(np.float32)

    src, dst, cosine = text_neighbours(vectors, k=4, min_similarity=0.01)

    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    full = unit @ unit.T
    np.fill_diagonal(full, -1)
    for item in range(60):
        mine = src == item
        expected = np.argsort(-full[item])[:4]
        assert set(dst[mine]) == {j for j in expected if full[item, j] >= 0.01}
    assert cosine == pytest.approx(full[src, dst], abs=1e-5)


def test_one_item_has_no_neighbour():
    src, *_ = text_neighbours(np.ones((1, 3), np.float32), k=5, min_similarity=0.1)

    assert len(src) == 0


def test_planted_clusters_are_found_the_same_every_time():
    random = np.random.default_rng(1)
    centres = np.eye(5, 16)[np.arange(100) % 5]
    vectors = (centres + random.normal(scale=0.05, size=(100, 16))).astype(np.float32)

    labels = text_clusters(vectors, n_clusters=5, seed=3)

    assert len(set(zip(labels, np.arange(100) % 5, strict=True))) == 5
    assert np.array_equal(labels, text_clusters(vectors, n_clusters=5, seed=3))


def test_names_are_words_that_others_lack():
    texts = ["war soldiers film", "war soldiers battle film", "love wedding film", "love kiss film"]

    names = cluster_names(texts, np.array([0, 0, 1, 1]))

    assert names[0].startswith("soldiers war")
    assert names[1].startswith("love")
    assert not any("film" in name.split()[:1] for name in names.values())


def test_new_items_get_edges_to_neighbours_and_a_cluster():
    items = pd.DataFrame(
        {
            "item_id": ["new", "b", "c", "d"],
            "text": ["space ship", "space war", "love story", None],
            "vector": [[1.0, 0.1], [1.0, 0.0], [0.0, 1.0], [0.1, 1.0]],
        }
    )

    edges = semantic_edges(items, k=1, min_similarity=0.5, n_clusters=2, seed=0)

    near = {(r.src, r.dst) for r in edges.itertuples() if r.kind == "item_text"}
    assert near == {("i:new", "i:b"), ("i:b", "i:new"), ("i:c", "i:d"), ("i:d", "i:c")}
    cluster = edges[edges["kind"] == "item_interest"].set_index("src")["dst"]
    assert cluster["i:new"] == cluster["i:b"] != cluster["i:c"] == cluster["i:d"]
    assert "space" in cluster["i:new"]
