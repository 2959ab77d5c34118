"""The train job: what it writes, and that a rerun changes nothing."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from pyspark.sql import functions as F
from tests.train.graphs import frame_of, planted_matrix

from interest_graph import tables
from interest_graph.errors import ConfigError, MissingTableError
from interest_graph.jobs.train import JOB

TRAIN = {
    "model": "lightgcn",
    "dimension": 4,
    "max_rounds": 2,
    "batch_size": 64,
    "learning_rate": 0.02,
}


def write_graph(pipeline: Any, version: str, build: int, seed: int) -> None:
    edges = frame_of(pipeline.spark, planted_matrix(40, 20, 2, 0.5, seed))
    missing = {"n_events": F.lit(1).cast("long")}
    times = {name: F.lit(None).cast("timestamp") for name in ("first_ts", "last_ts")}
    rows = edges.select(
        F.lit(version).alias("graph_version"),
        F.concat(F.lit("u:"), "user_id").alias("src"),
        F.concat(F.lit("i:"), "item_id").alias("dst"),
        F.lit("user_item").alias("kind"),
        "weight",
    ).withColumns({**missing, **times})
    pipeline.store.append(tables.EDGES, rows)
    moment = datetime(2024, 1, 1, tzinfo=UTC)
    origin = [(version, build, moment, "formula", "{}", {})]
    frame = pipeline.spark.createDataFrame(origin, tables.GRAPH_VERSIONS.schema)
    pipeline.store.append(tables.GRAPH_VERSIONS, frame)


def contents(pipeline: Any) -> dict[str, list[Any]]:
    """Rows of the written tables, without what a clock measures."""
    clocks = ("seconds", "peak_memory_mb")
    frames = {t.name: pipeline.store.read(t).drop(*clocks) for t in JOB.writes}
    runs = frames[tables.MODELS.name].drop("input_versions")
    frames[tables.MODELS.name] = runs
    return {name: sorted(map(str, frame.collect())) for name, frame in frames.items()}


def test_the_newest_graph_is_trained_and_a_rerun_changes_nothing(open_pipeline, warehouse):
    pipeline = open_pipeline(train=TRAIN)
    write_graph(pipeline, "old", 1, seed=1)
    write_graph(pipeline, "new", 2, seed=2)

    pipeline.run(JOB)
    first = contents(pipeline)
    pipeline.run(JOB, force=True)

    assert contents(pipeline) == first
    run = pipeline.store.read(tables.MODELS).first()
    assert (run.graph_version, run.model, run.build, run.n_rounds) == ("new", "lightgcn", 1, 2)
    assert pipeline.store.read(tables.EMBEDDINGS).groupBy("kind").count().count() == 2
    assert pipeline.store.read(tables.SHARDS).agg(F.sum("n_edges")).first()[0] == run.n_edges
    assert pipeline.store.read(tables.ITEM_WEIGHTS).isEmpty()
    assert not list((warehouse / "_training").iterdir())


def test_without_a_graph_the_job_says_who_writes_it(open_pipeline):
    with pytest.raises(MissingTableError, match="build_graph job writes it"):
        open_pipeline().run(JOB)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("train.dimension=0", "train.dimension: 0: input should be greater than 0"),
        ("train.model=magic", "train.model: 'magic': input should be 'popularity'"),
        ("train.n_shards=-1", "train.n_shards: -1: input should be greater than 0"),
        ("train.lerning_rate=1", "unknown setting, did you mean learning_rate"),
    ],
)
def test_a_wrong_setting_is_one_line(tmp_path, override, message):
    from interest_graph.config import load_settings

    (tmp_path / "c.yaml").write_text("project: demo\n")

    with pytest.raises(ConfigError) as caught:
        load_settings(tmp_path / "c.yaml", [override])

    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
