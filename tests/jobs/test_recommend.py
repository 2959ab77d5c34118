"""Recommendations from a model and a graph that lie in tables."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from interest_graph import tables
from interest_graph.errors import DataError
from interest_graph.jobs.recommend import JOB

JANUARY, MARCH = datetime(2024, 1, 31, tzinfo=UTC), datetime(2024, 3, 31, tzinfo=UTC)
NAMES = {"a": "Alien", "b": "Brazil", "c": None, "d": "Duel"}


def write(pipeline, table, *rows):
    """Write a table as another job would; columns that a row leaves out are null."""
    full = [tuple(row.get(name) for name in table.column_names) for row in rows]
    frame = pipeline.spark.createDataFrame(full, table.schema).coalesce(1)
    frame.write.format("delta").save(pipeline.store.location(table))


def edge(kind, src, dst, weight, version="g1"):
    ends = {"graph_version": version, "src": src, "dst": dst, "kind": kind}
    return {**ends, "weight": weight, "n_events": 1}


def vector(model_run, kind, key, *values):
    row = {"model_run": model_run, "model": "lightgcn", "kind": kind, "key": key}
    return {**row, "vector": [float(value) for value in values]}


def model(model_run, build, as_of):
    row = {"model_run": model_run, "model": "lightgcn", "build": build, "graph_version": "g1"}
    counts = dict.fromkeys(["n_users", "n_items", "n_edges", "n_rounds"], 1)
    return {**row, "as_of": as_of, "parameters": "{}", "input_versions": {}, **counts}


def fill(pipeline):
    """u1 chose a; u2 chose b; u3 has met d, whose edge was pruned; u4 is known by name alone."""
    edges = [edge("user_item", "u:u1", "i:a", 2.0), edge("user_item", "u:u2", "i:b", 3.0)]
    edges += [edge("item_item", "i:a", "i:c", 0.5), edge("user_item", "u:x", "i:d", 1.0, "g0")]
    write(pipeline, tables.EDGES, *edges)
    vertices = [
        {"graph_version": "g1", "id": f"i:{key}", "kind": "item", "key": key, "name": name}
        for key, name in NAMES.items()
    ]
    write(pipeline, tables.VERTICES, *vertices)
    items = [vector("m1", "item", key, i) for i, key in enumerate(NAMES)]
    users = [vector("m1", "user", "u1", 1), vector("m1", "user", "u2", -1)]
    write(pipeline, tables.EMBEDDINGS, *items, *users, vector("m0", "user", "u1", 9))
    write(pipeline, tables.ITEM_WEIGHTS)
    write(
        pipeline,
        tables.MODELS,
        model("m0", 1, JANUARY),
        model("m1", 2, JANUARY),
        model("m2", 3, MARCH),
    )
    write(pipeline, tables.USERS, {"user_id": "u4", "attributes": {}})
    met = {"event_id": "e", "user_id": "u3", "item_id": "d", "action": "view", "source": "s"}
    times = {
        "event_ts": JANUARY,
        "event_date": JANUARY.date(),
        "event_period": "2024",
        "session_id": "s",
    }
    write(pipeline, tables.INTERACTIONS, {**met, **times})


def lists(pipeline):
    """user -> [(item, score, strategy, reason)] by rank."""
    found = {}
    for row in pipeline.store.read(tables.RECOMMENDATIONS).orderBy("user_id", "rank").collect():
        line = (row.item_id, row.score, row.strategy, row.reason)
        found.setdefault(row.user_id, []).append(line)
        assert row.rank == len(found[row.user_id])
    return found


def test_recommend_serves_everyone_and_reruns_change_no_row(open_pipeline):
    pipeline = open_pipeline(recommend={"k": 2})
    fill(pipeline)

    assert pipeline.run(JOB)

    found = lists(pipeline)
    near = "because you liked Alien, often chosen together with it"
    far = "chosen by people with a history like yours"
    popular = "popular now"
    assert found["u1"] == [("d", 3.0, "lightgcn", far), ("c", 2.0, "lightgcn", near)]
    assert found["u2"] == [("a", 0.0, "lightgcn", far), ("c", -2.0, "lightgcn", far)]
    assert found["u3"] == [("b", 3.0, "popularity", popular), ("a", 2.0, "popularity", popular)]
    assert found["u4"] == found["u3"]
    assert pipeline.rows == {
        "recommendations": 8,
        "users by lightgcn": 2,
        "users by popularity": 2,
    }
    lineage = pipeline.store.read(tables.RECOMMENDATIONS).select(
        "model_run", "graph_version", "as_of"
    )
    assert lineage.distinct().count() == 1
    assert lineage.first()["model_run"] == "m1"

    again = open_pipeline(recommend={"k": 2})
    again.run(JOB, force=True)

    assert lists(again) == found
    newest = again.store._delta(tables.RECOMMENDATIONS).history(1).first()
    changed = [newest.operationMetrics[f"numTargetRows{kind}"] for kind in ("Inserted", "Updated")]
    assert [*changed, newest.operationMetrics["numTargetRowsDeleted"]] == ["0", "0", "0"]


def test_no_model_as_of_the_time_asked_for_is_one_clear_error(open_pipeline):
    pipeline = open_pipeline()
    write(pipeline, tables.MODELS, model("m2", 3, MARCH))
    for table in (tables.EMBEDDINGS, tables.ITEM_WEIGHTS, tables.EDGES, tables.VERTICES):
        write(pipeline, table)

    with pytest.raises(DataError, match="no training run as of 2024-01-31"):
        pipeline.run(JOB)
