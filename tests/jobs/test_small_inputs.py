"""The smallest inputs that real people have: one user, one item, nobody with two items."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from interest_graph import tables
from interest_graph.errors import DataError
from interest_graph.jobs import build_graph, evaluate, recommend, report, train

NOON = datetime(2024, 1, 20, 12)
SMALL = {
    "train": {"auto": {"sources": ["chebyshev", "ease"]}},
    "evaluate": {"k": [2], "splits": [{"kind": "random"}, {"kind": "time"}]},
}
STAGES = (build_graph.JOB, train.JOB, recommend.JOB, evaluate.JOB, report.JOB)


@pytest.fixture
def with_events(open_pipeline):
    """with_events("ui uj", ...): a pipeline whose events are these pairs, a minute apart."""

    def make(pairs, value=None, **settings):
        pipeline = open_pipeline(**{**SMALL, **settings})
        events = [
            (f"e{n}", user, item, "view", ts, ts.date(), "2024", value, "s", None, "t")
            for n, (user, item) in enumerate(pairs.split())
            for ts in [NOON + timedelta(minutes=n)]
        ]
        rows = pipeline.spark.createDataFrame(events, tables.INTERACTIONS.schema)
        pipeline.store.append(tables.INTERACTIONS, rows)
        return pipeline

    return make


def edges_by_kind(pipeline):
    rows = pipeline.store.read(tables.EDGES).groupBy("kind").count().collect()
    return {row["kind"]: row["count"] for row in rows}


@pytest.mark.parametrize(
    ("pairs", "settings", "kinds"),
    [
        ("ui", {}, {"user_item": 1}),
        ("ui vi", {}, {"user_item": 2}),
        ("ui vj", {}, {"user_item": 2}),
        ("ui", {"structure": {"edges": ["social"]}}, {"user_item": 1}),
        ("ui vi", {"neighbours_per_user": 3}, {"user_item": 2, "user_user": 2}),
        ("ui uj", {"projection": {"engine": "join", "measure": "pmi"}}, {"user_item": 2}),
    ],
)
def test_small_graphs_are_built(with_events, pairs, settings, kinds):
    pipeline = with_events(pairs, graph=settings)

    pipeline.run(build_graph.JOB)

    assert edges_by_kind(pipeline) == kinds


def test_a_user_of_one_item_is_enough_for_every_job(with_events, spark):
    pipeline = with_events("ui")
    people = spark.createDataFrame([("u", {}), ("new", {})], tables.USERS.schema)
    pipeline.store.append(tables.USERS, people)

    for job in STAGES:
        pipeline.run(job)

    lists = pipeline.store.read(tables.RECOMMENDATIONS).collect()
    assert [(row.user_id, row.item_id, row.strategy) for row in lists] == [
        ("new", "i", "popularity")
    ]
    assert pipeline.store.read(tables.METRICS).isEmpty()


def test_a_user_of_some_items_is_evaluated(with_events):
    pipeline = with_events("ui uj uk ul")

    for job in STAGES:
        pipeline.run(job)

    splits = {row.split for row in pipeline.store.read(tables.METRICS).collect()}
    assert splits == {"time 0.75"}


@pytest.mark.parametrize(
    ("graph", "value", "line"),
    [
        ({"prune": {"min_core": 5}}, None, r"none of 2 user-item edges: .*min_core: 5 drops 2$"),
        ({"values": {"view": {"form": "linear"}}}, 1e300, "add up to more than .*clean.value_caps"),
    ],
)
def test_what_stops_a_graph_is_one_line(with_events, graph, value, line):
    with pytest.raises(DataError, match=line):
        with_events("ui vj", value, graph=graph).run(build_graph.JOB)
