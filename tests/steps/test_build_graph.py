"""The build_graph step: tables, versions, reruns, nothing left cached."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest
from chispa import assert_df_equality
from pyspark.sql import functions as F

from interest_graph import tables
from interest_graph.errors import DataError
from interest_graph.graph.scratch import persistent_rdds
from interest_graph.graph.version import newest_version
from interest_graph.job import run_step
from interest_graph.steps.build_graph import STEP

NOON = datetime(2024, 1, 20, 12)


@pytest.fixture
def job(open_job, spark):
    """A warehouse with two taste groups, three items each, and two isolated friends."""
    job = open_job(graph={"half_life_days": 10.0, "min_weight": 0.05})
    pairs = [(u, i) for u in "abc" for i in "xyz"] + [(u, i) for u in "def" for i in "pqr"]
    events = [
        (
            f"e{n}",
            user,
            item,
            "view",
            NOON + timedelta(minutes=n),
            date(2024, 1, 20),
            None,
            "s",
            None,
            "t",
        )
        for n, (user, item) in enumerate(pairs)
    ]
    items = [
        (item, item.upper(), None, ["Drama"] if item in "xyz" else ["War"], {}) for item in "xyzpqr"
    ]
    job.store.append(tables.INTERACTIONS, spark.createDataFrame(events, tables.INTERACTIONS.schema))
    job.store.append(tables.ITEMS, spark.createDataFrame(items, tables.ITEMS.schema))
    friends = spark.createDataFrame([("a", "b", 1.0), ("a", "a", 1.0)], tables.SOCIAL_EDGES.schema)
    job.store.append(tables.SOCIAL_EDGES, friends)
    return job


def test_graph_is_built_twice_with_the_same_rows(job, spark):
    cached = persistent_rdds(spark)
    run_step(job, STEP)
    graph = [
        tables.EDGES,
        tables.VERTICES,
        tables.COMMUNITIES,
        tables.GRAPH_METRICS,
        tables.GRAPH_VERSIONS,
    ]
    first = {t.name: job.store.read(t, job.store.version(t)) for t in graph}

    run_step(job, STEP, force=True)

    for table in graph:
        again, once = (_sortable(frame) for frame in (job.store.read(table), first[table.name]))
        assert_df_equality(again, once, ignore_row_order=True)
    _check_edges(job)
    _check_structure(job)
    assert (
        newest_version(job.store.read(tables.GRAPH_VERSIONS))
        == first["graph.edges"].first().graph_version
    )
    assert persistent_rdds(spark) <= cached


def _sortable(frame):
    """Spark orders no maps."""
    maps = [column.name for column in frame.schema if column.dataType.typeName() == "map"]
    return frame.withColumns({name: F.map_entries(name) for name in maps}) if maps else frame


def _check_edges(job):
    edges = job.store.read(tables.EDGES)
    kinds = {row.kind: row["count"] for row in edges.groupBy("kind").count().collect()}
    assert kinds == {
        "user_item": 18,
        "item_item": 12,
        "item_interest": 6,
        "user_interest": 6,
        "social": 1,
    }
    view = edges.where("src = 'u:a' AND dst = 'i:x'").first()
    age_days = (datetime(2024, 1, 31) - NOON).total_seconds() / 86_400
    assert view.weight == pytest.approx(0.5 ** (age_days / 10.0), rel=1e-12)


def _check_structure(job):
    rows = job.store.read(tables.COMMUNITIES).collect()
    groups = {
        frozenset(r.id for r in rows if r.community == c) for c in {r.community for r in rows}
    }
    assert groups == {
        frozenset({"u:a", "u:b", "u:c", "i:x", "i:y", "i:z"}),
        frozenset({"u:d", "u:e", "u:f", "i:p", "i:q", "i:r"}),
    }
    metrics = {(r.stage, r.metric): r.value for r in job.store.read(tables.GRAPH_METRICS).collect()}
    assert metrics["before", "components"] == metrics["after", "components"] == 2
    assert metrics["after", "density"] == 0.5
    assert metrics["after", "weight_kept_fraction"] == 1.0


def test_events_too_old_to_weigh_anything_stop_the_job_before_it_writes(job, open_job):
    late = open_job(as_of=datetime(2040, 1, 1), graph={"half_life_days": 1.0})

    with pytest.raises(DataError, match="half_life_days"):
        run_step(late, STEP)

    assert not late.store.exists(tables.EDGES)
