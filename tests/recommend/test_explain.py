"""Reasons through Spark: ids, names, and every recommendation kept."""

from __future__ import annotations

import pytest
from pyspark.sql import DataFrame

from interest_graph.cache_scope import persistent_rdds
from interest_graph.ids import user_item_pairs
from interest_graph.recommend import packed
from interest_graph.recommend.explain import explain
from interest_graph.recommend.paths import SIMILAR_USERS_REASON
from interest_graph.recommend.topk import RANKED_COLUMNS, gather_histories, top_k

VERTICES = "id STRING, kind STRING, key STRING, name STRING"
EDGES = "src STRING, dst STRING, kind STRING, weight DOUBLE"


@pytest.mark.parametrize("block_bytes", [packed.BLOCK_BYTES, 100])  # one block, and four
def test_recommendations_get_a_reason_with_names_where_known(spark, monkeypatch, block_bytes):
    monkeypatch.setattr(packed, "BLOCK_BYTES", block_bytes)
    vertices = [("i:a", "item", "a", "Alien\n1979"), ("i:b", "item", "b", None)]
    vertices += [("i:c", "item", "c", " "), ("t:space", "interest", "space", "Space")]
    edges = [("u:1", "i:a", "user_item", 2.0), ("u:1", "i:b", "user_item", 1.0)]
    edges += [("u:2", "i:b", "user_item", 1.0)]
    edges += [("i:c", "i:a", "item_item", 0.5), ("i:b", "i:c", "item_item", 0.5)]
    edges += [("i:b", "t:space", "item_interest", 1.0), ("i:a", "t:space", "item_interest", 1.0)]
    ranked = [("1", 1, "c", 0.5), ("1", 2, "new", 0.25), ("2", 1, "a", 0.5), ("3", 1, "a", 0.1)]
    edges = spark.createDataFrame(edges, EDGES)

    explained = explain(
        spark.createDataFrame(ranked, RANKED_COLUMNS),
        gather_histories(user_item_pairs(edges)),
        edges=edges,
        vertices=spark.createDataFrame(vertices, VERTICES),
    )

    reasons = [
        "because you liked Alien 1979 and b, often chosen together with it",
        SIMILAR_USERS_REASON,
        "because of b that shares Space",
        SIMILAR_USERS_REASON,
    ]
    expected = [(*row, reason) for row, reason in zip(ranked, reasons, strict=True)]
    assert sorted(tuple(row) for row in explained.collect()) == expected


def test_the_driver_gets_a_few_counts_and_keeps_nothing(spark, monkeypatch):
    edges = spark.createDataFrame(
        [(f"u{i}", f"i{i}", 1.0) for i in range(9)], "user_id STRING, item_id STRING, weight DOUBLE"
    )
    weights = edges.selectExpr("user_id AS src", "item_id AS dst", "weight")
    graph = edges.selectExpr("user_id AS src", "item_id AS dst", "'item_item' AS kind", "weight")
    vertices = graph.selectExpr("dst AS id", "'item' AS kind", "dst AS key", "dst AS name")
    collected, collect, kept = [], DataFrame.collect, persistent_rdds(spark)

    def counting(frame):
        rows = collect(frame)
        collected.extend(rows)
        return rows

    monkeypatch.setattr(DataFrame, "collect", counting)
    monkeypatch.setattr(DataFrame, "toPandas", lambda frame: pytest.fail("rows for the driver"))
    histories = gather_histories(edges)
    ranked = top_k(histories, k=1, item_weights=weights)
    explain(ranked, histories, edges=graph, vertices=vertices)

    assert len(collected) == 5  # users, weights; users, edges, vertices
    assert persistent_rdds(spark) == kept
