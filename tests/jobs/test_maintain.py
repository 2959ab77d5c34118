"""The maintain job: fewer files, the same rows; old builds go, and nothing looks new after it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from interest_graph import tables
from interest_graph.config import Settings, load_settings
from interest_graph.errors import ConfigError
from interest_graph.jobs.maintain import JOB
from interest_graph.registry import stages

NOW = {"retention_hours": 0, "allow_short_retention": True}


def test_small_files_become_one_and_old_ones_go(open_pipeline, spark):
    pipeline = open_pipeline(maintain=NOW)
    for n in range(3):
        row = [(f"u{n}", {"n": str(n)})]
        pipeline.store.append(tables.USERS, spark.createDataFrame(row, tables.USERS.schema))

    pipeline.run(JOB)

    assert (
        pipeline.rows["silver.users.files_removed"],
        pipeline.rows["silver.users.files_added"],
    ) == (3, 1)
    folder = Path(pipeline.store.location(tables.USERS))
    assert len(list(folder.glob("*.parquet"))) == 1
    assert pipeline.store.read(tables.USERS).count() == 3


def test_a_short_retention_needs_a_word_more(tmp_path):
    (tmp_path / "p.yaml").write_text("maintain: {retention_hours: 24}")

    with pytest.raises(ConfigError, match="allow_short_retention"):
        load_settings(tmp_path / "p.yaml")
    assert Settings().maintain.retention_hours == 168


@pytest.fixture
def shop(tmp_path, open_pipeline):
    """Opens the pipeline of a tiny log: each of 12 users meets 4 of 8 items."""
    lines = [
        f"u{user},i{(user + step) % 8},view,{1_700_000_000 + 3600 * (4 * user + step)}"
        for user in range(12)
        for step in range(4)
    ]
    (tmp_path / "log.csv").write_text("\n".join(["user,item,action,time", *lines]))
    source = {"name": "log", "path": str(tmp_path / "log.csv")}
    columns = {"user_id": "user", "item_id": "item", "action": "action", "event_time": "time"}
    named = {"columns": columns, "actions": {"view": "view"}, "time": {"format": "epoch_s"}}

    def make(half_life_days=30.0):
        split = {"kind": "random", "train_fraction": 0.5}
        return open_pipeline(
            as_of=datetime(2023, 12, 31, tzinfo=UTC),
            sources=[{**source, **named}],
            graph={"half_life_days": half_life_days},
            train={"model": "item_knn"},
            recommend={"k": 2},
            evaluate={"splits": [split], "baselines": ["popularity"], "k": [2]},
            maintain={**NOW, "keep_versions": 1},
        )

    return make


def identities(pipeline):
    states = {table.name: pipeline.store.state(table) for table in tables.ALL_TABLES.values()}
    del states[tables.RUNS.name]
    return {name: state.identity for name, state in states.items()}


def builds_in(pipeline, *names):
    """How many graphs or models there are in each of these tables."""
    column = {"graph": "graph_version", "model": "model_run"}
    frames = {name: pipeline.read(name).select(column[name.split(".")[0]]) for name in names}
    return {name: frame.distinct().count() for name, frame in frames.items()}


@pytest.mark.slow
def test_old_builds_go_and_everything_stays_up_to_date(shop):
    versioned = ("graph.edges", "graph.vertices", "graph.communities", "graph.metrics")
    registers = ("graph.versions", "model.runs", "model.item_weights")
    for job in ("ingest", "clean", "featurize", "build_graph", "train"):
        shop(half_life_days=9.0).run(job)
    pipeline = shop()
    assert pipeline.run_all() == [job.name for job in stages() if job.name != "featurize"]
    pipeline.run("diff")
    assert set(builds_in(pipeline, *versioned, *registers).values()) == {2}
    assert pipeline.read("graph.edge_changes").count() > 0
    before, served = identities(pipeline), pipeline.read("gold.recommendations").collect()

    assert pipeline.run("maintain")

    assert (pipeline.rows["graphs_expired"], pipeline.rows["models_expired"]) == (1, 1)
    assert set(builds_in(pipeline, *versioned, *registers).values()) == {1}
    assert pipeline.read("graph.edge_changes").count() == 0
    assert pipeline.read("gold.recommendations").collect() == served
    assert identities(pipeline) == before
    assert shop().run_all() == ["ingest", "clean"]  # these two look for new files, and find none
    assert not pipeline.run("diff")
    assert identities(pipeline) == before
