"""All kinds of edges together."""

from __future__ import annotations

import sys

import pytest

from interest_graph.config import GraphConfig
from interest_graph.errors import ConfigError, DataError
from interest_graph.graph.build import connect, prune_edges
from interest_graph.graph.text_edges import text_edges
from interest_graph.graph.weigh import to_graph_edges, weigh_edges


@pytest.fixture
def content(spark):
    """Items of two subjects, `new` without events, and their vectors."""
    texts = {"x": "space ship", "y": "space war", "p": "love story", "new": "love letter"}
    vectors = {"x": [1.0, 0.0], "y": [1.0, 0.1], "p": [0.0, 1.0], "new": [0.1, 1.0]}
    rows = [(item, text, None, []) for item, text in texts.items()]
    columns = "item_id STRING, text STRING, title STRING, categories ARRAY<STRING>"
    items = spark.createDataFrame(rows, columns)
    features = spark.createDataFrame(list(vectors.items()), "item_id STRING, vector ARRAY<FLOAT>")
    return items, features


def test_texts_sessions_and_taste_make_edges(events, as_of, content, spark):
    config = GraphConfig(
        text={"neighbours_per_item": 1, "n_clusters": 2},
        neighbours_per_user=1,
        projection={"baskets": "sessions"},
    )
    rows = [(user, item, "view", 1.0, None) for user in "ab" for item in "xy"]
    weighed = weigh_edges(events(*rows, ("c", "p", "view", 1.0, None)), as_of=as_of, config=config)
    baskets = [("s1", "i:x", 1.0), ("s1", "i:p", 1.0)]
    sessions = spark.createDataFrame(baskets, "src STRING, dst STRING, weight DOUBLE")
    items, features = content

    edges = connect(
        to_graph_edges(weighed), items, None, config, features=features, sessions=sessions
    ).collect()

    ends = {
        kind: {(e.src, e.dst) for e in edges if e.kind == kind} for kind in {e.kind for e in edges}
    }
    assert ends["item_item"] == {("i:x", "i:p"), ("i:p", "i:x")}
    assert ends["user_user"] == {("u:a", "u:b"), ("u:b", "u:a")}
    assert ("i:new", "i:p") in ends["item_text"]
    assert len(ends["item_interest"]) == 4
    assert {src for src, _ in ends["user_interest"]} == {"u:a", "u:b", "u:c"}


def test_texts_beyond_one_worker_are_refused(content):
    items, features = content
    config = GraphConfig(worker_mb=1, text={"neighbours_per_item": 1})

    with pytest.raises(DataError, match="worker_mb"):
        text_edges(items.sparkSession.range(200).crossJoin(items), features, config)


def forget_dates(edges):
    return edges.drop("last_ts")


def test_a_rule_of_ones_own_must_return_the_columns_that_it_took(spark, as_of, monkeypatch):
    monkeypatch.setitem(sys.modules, "own_rules_of_build", sys.modules[__name__])
    config = GraphConfig(prune={"extra": ["own_rules_of_build:forget_dates"]})
    columns = "src STRING, dst STRING, weight DOUBLE, last_ts TIMESTAMP"
    edges = spark.createDataFrame([("u:a", "i:x", 1.0, as_of)], columns)

    with pytest.raises(ConfigError, match=r"graph\.prune\.extra: .* must return the columns src, "):
        prune_edges(edges, as_of=as_of, config=config)
