"""Every way from files to facts gives the same rows: one job or two, by Spark, or again."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime

import pytest
from pyspark.sql import functions as F

from interest_graph import clean_records, tables
from interest_graph.config import Settings
from interest_graph.errors import ConfigError, DataError
from interest_graph.handover import Handover
from interest_graph.jobs.clean import frames
from interest_graph.pipeline import Pipeline
from interest_graph.store import Store

START = 1_704_067_200  # 2024-01-01 UTC
AS_OF = datetime(2024, 1, 31, tzinfo=UTC)
COLUMNS = {"event_id": "id", "user_id": "u", "item_id": "i", "action": "a", "event_time": "t"}
LOG = {
    "name": "log",
    "format": "json",
    "columns": {**COLUMNS, "value": "v"},
    "time": {"format": "epoch_s"},
}
CLEAN = {"retry_seconds": 10, "bots": {"events_per_minute": 30}}
OF_FACTS = [*COLUMNS, "event_ts", "value", "session_id", "dwell_seconds", "event_period"]
OF_FACTS.remove("event_time")


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    """Two files of records, some broken, some repeated, and a bot."""
    draw = random.Random(3)
    folder = tmp_path_factory.mktemp("log")
    for name in "ab":
        records = [
            {
                "id": f"{name}{n // 2 if n % 9 == 0 else n}",
                "u": f"u{draw.randrange(7)}",
                "i": f"i{draw.randrange(5)}",
                "a": "view",
                "t": START + draw.randrange(40 * 86_400),  # some after the as-of time
                "v": draw.choice([None, 1, 2.5, "3", "x", -1]),
            }
            for n in range(120)
        ]
        records += [{**records[0], "t": START + k, "u": "bot", "i": f"b{k}"} for k in range(40)]
        lines = [json.dumps(record) for record in records]
        lines[5] += '{"u": "u1"} and text'
        (folder / f"{name}.json").write_text("\n".join(lines))
    return folder


@pytest.fixture
def opened(spark, tmp_path, log):
    """opened(name, source={...}, clean={...}): a pipeline on the log with tables of its own."""

    def make(name="w", source=None, clean=None):
        tree = {
            "warehouse": {"table_root": str(tmp_path / name)},
            "sources": [{**LOG, "path": str(log), **(source or {})}],
            "clean": {**CLEAN, **(clean or {})},
        }
        return Pipeline(Settings.model_validate(tree), spark, AS_OF)

    return make


def result(pipeline):
    """Facts, refused records, bots and the counts of the run that cleaned."""
    facts = pipeline.read("silver.interactions").select(OF_FACTS)
    refused = pipeline.read("silver.quarantine").select("file", "position", "reasons", "payload")
    bots = pipeline.read("silver.bots").select("user_id", "event_date", "rule", "n_events")
    rows = [sorted(map(str, frame.collect())) for frame in (facts, refused, bots)]
    return [*rows, pipeline.rows]


@pytest.fixture
def in_two_jobs(opened):
    pipeline = opened("two")
    pipeline.run("ingest")
    pipeline.run("clean")
    return result(pipeline)


def test_a_handover_between_ingest_and_clean_changes_nothing(opened, in_two_jobs, monkeypatch):
    pipeline, handover = opened("one"), Handover()
    pipeline.run("ingest", handover=handover)
    assert len(handover.batches) == 1
    monkeypatch.setattr(frames, "map_batches", None)  # bronze is not read again

    pipeline.run("clean", handover=handover)

    assert result(pipeline) == in_two_jobs
    assert handover.batches == {}
    assert pipeline.read("bronze.events").count() == pipeline.rows["rows_in"]


def test_sparks_writer_writes_the_same_rows_where_workers_may_not(opened, in_two_jobs, monkeypatch):
    monkeypatch.setattr(Store, "worker_files", lambda self, table: None)
    pipeline = opened("spark")

    pipeline.run("ingest")
    pipeline.run("clean")
    assert pipeline.run("clean")  # nothing is new
    assert pipeline.rows["rows_in"] == 0
    pipeline.run("clean", force=True)

    assert result(pipeline)[:3] == in_two_jobs[:3]


def test_bronze_may_refer_to_files_instead_of_keeping_records(opened, log, in_two_jobs, tmp_path):
    pipeline = opened("refer", source={"bronze": "reference"})
    pipeline.run("ingest")
    pipeline.run("clean")

    assert result(pipeline) == in_two_jobs
    assert pipeline.read("bronze.events").count() == 0
    assert {row.n_rows for row in pipeline.read("bronze.files").collect()} == {162}


def test_files_that_bronze_refers_to_must_stay_as_they_were(opened, log, tmp_path):
    copy = tmp_path / "in"
    copy.mkdir()
    (copy / "a.json").write_text((log / "a.json").read_text())
    pipeline = opened(source={"bronze": "reference", "path": str(copy)})
    pipeline.run("ingest")
    (copy / "a.json").write_text("{}")

    with pytest.raises(DataError, match=r"reference have changed or are gone.*a\.json"):
        pipeline.run("clean")


def test_rules_of_spark_refuse_and_count_as_those_of_duckdb(opened):
    ways = {
        "duckdb": "value % 2 = 1 OR value IS NULL",
        "spark": "mod(value, 2) = 1 OR value <=> NULL",
    }
    found = {}
    for engine, must in ways.items():
        odd = {"reason": "not_odd", "column": "value", "must": must, "engine": engine}
        warn = {**odd, "reason": "is_odd", "must": f"NOT ({must})", "severity": "warn"}
        pipeline = opened(engine, clean={"rules": [odd, warn]})
        handover = Handover()
        pipeline.run("ingest", handover=handover)
        pipeline.run("clean", handover=handover)
        found[engine] = result(pipeline)

    assert found["spark"] == found["duckdb"]
    assert found["spark"][3]["reason.not_odd"] > 0 < found["spark"][3]["reason.is_odd"]


def test_a_rule_that_spark_does_not_understand_is_one_line(opened):
    rule = {"reason": "odd", "column": "value", "must": "nonsense(value)", "engine": "spark"}
    pipeline = opened(clean={"rules": [rule]})
    pipeline.run("ingest")

    with pytest.raises(ConfigError, match=r"clean\.rules\.0\.must: .*nonsense"):
        pipeline.run("clean")


def test_records_in_a_frame_are_cleaned_by_the_same_kernels(opened, in_two_jobs):
    pipeline = opened("two")
    records = pipeline.read("bronze.events").drop("batch_id").repartition(3)

    cleaned = clean_records(records, pipeline.settings, AS_OF, parts=2)

    of_facts = [column for column in OF_FACTS if column != "event_period"]
    expected = pipeline.read("silver.interactions").select(of_facts)
    assert sorted(map(str, cleaned.facts.select(of_facts).collect())) == sorted(
        map(str, expected.collect())
    )
    assert cleaned.refusals.count() == in_two_jobs[3]["quarantined"]
    counts = {row.name: row.n for row in cleaned.counts.collect()}
    assert counts["kept"] == in_two_jobs[3]["kept"]
    assert counts["reason.unreadable"] == in_two_jobs[3]["reason.unreadable"]


def test_a_frame_needs_no_more_than_the_mapped_columns(opened, spark):
    rows = [("log", "u", "i", "view", str(START)), ("log", None, "i", "view", str(START))]
    frame = spark.createDataFrame(rows, ["source", "user_id", "item_id", "action", "event_time"])

    cleaned = clean_records(frame, opened().settings, AS_OF, parts=1)

    assert [row.user_id for row in cleaned.facts.collect()] == ["u"]
    reasons = cleaned.refusals.select(F.explode("reasons")).collect()
    assert [row.col for row in reasons] == ["missing_user_id"]


def test_a_mended_mapping_is_an_error_until_it_is_forced(opened, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "log.csv").write_text("u,i,name,t\nu1,sku-1,Apple,1704067200\n")
    wrong = {"path": str(folder), "format": "csv", "action": "view"}
    columns = {"user_id": "u", "item_id": "name", "event_time": "t"}
    opened(source={**wrong, "columns": columns}).run("ingest")
    first = opened(source={**wrong, "columns": columns})
    first.run("clean")
    mended = opened(source={**wrong, "columns": {**columns, "item_id": "i"}})

    with pytest.raises(ConfigError, match=r"sources\.log: .*ingest --force"):
        mended.run("ingest")
    mended.run("ingest", force=True)
    mended.run("clean")

    assert [row.item_id for row in mended.read("silver.interactions").collect()] == ["sku-1"]
    assert [row.item_id for row in mended.read("bronze.events").collect()] == ["sku-1"]
    assert tables.FILES.key == ("source", "path")
