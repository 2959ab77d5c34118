"""A made-up log goes through ingest and clean: every record ends where the truth says."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
import yaml
from pyspark.sql import functions as F

from interest_graph import tables
from interest_graph.jobs.clean import JOB as CLEAN
from interest_graph.jobs.generate import JOB as GENERATE
from interest_graph.jobs.ingest import JOB as INGEST

CONFIG = "conf/generated.yaml"
SIZE = {"events": 6_000, "users": 300, "items": 3_000, "bots_per_rule": 2, "days": 6}


@pytest.fixture(scope="module")
def cleaned(spark, tmp_path_factory):
    """The job after generate, ingest and clean by the shipped configuration, on a small log."""
    from pathlib import Path

    from interest_graph.config import Settings
    from interest_graph.pipeline import Pipeline

    folder = tmp_path_factory.mktemp("made")
    tree = yaml.safe_load((Path(__file__).parents[2] / CONFIG).read_text())
    tree["generate"] |= {**SIZE, "path": str(folder / "generated")}
    for source in tree["sources"]:
        source["path"] = source["path"].replace("data/generated", str(folder / "generated"))
    tree["warehouse"] = {"table_root": str(folder / "warehouse")}
    pipeline = Pipeline(Settings.model_validate(tree), spark, datetime(2024, 2, 15, tzinfo=UTC))
    for step in (GENERATE, INGEST, CLEAN):
        pipeline.run(step)
    return pipeline


def test_every_malformed_record_is_quarantined_for_its_reason(cleaned):
    event_id = F.coalesce(
        F.get_json_object("payload", "$.event_id"), F.regexp_extract("payload", '"id":"([^"]*)"', 1)
    )
    refused = cleaned.store.read(tables.QUARANTINE).select(event_id.alias("event_id"), "reasons")
    truth = cleaned.store.read(tables.SYNTHETIC_EVENTS).where("kind LIKE 'malformed.%'")

    both = truth.join(refused, "event_id", how="full").collect()

    assert len(both) == 60
    for row in both:
        assert [row.kind] == [f"malformed.{reason}" for reason in row.reasons or []]


def test_repeats_and_bots_are_dropped_and_people_kept(cleaned):
    kept = cleaned.store.read(tables.INTERACTIONS).select("event_id").collect()
    truth = cleaned.store.read(tables.SYNTHETIC_EVENTS).where("kind = 'person'").collect()
    counts = {row["kind"]: row["count"] for row in _kinds(cleaned).collect()}

    assert {row.event_id for row in kept} == {row.event_id for row in truth}
    assert len(kept) == len(truth)
    for kind in ("duplicate_id", "duplicate_event", "retry"):
        assert cleaned.rows[f"dropped.{kind}"] == counts[kind] > 0
    dropped = sum(n for name, n in cleaned.rows.items() if name.startswith("dropped."))
    assert cleaned.rows["rows_in"] == len(kept) + dropped + cleaned.rows["quarantined"]


def test_bots_are_listed_with_the_rule_that_they_break(cleaned):
    listed = {row.user_id: row.rule for row in cleaned.store.read(tables.BOTS).collect()}
    truth = cleaned.store.read(tables.SYNTHETIC_EVENTS).where("kind LIKE 'bot.%'")
    bots = truth.select("user_id", "kind").distinct().collect()

    assert listed == {row.user_id: row.kind.removeprefix("bot.") for row in bots}


def _kinds(pipeline):
    return pipeline.store.read(tables.SYNTHETIC_EVENTS).groupBy("kind").count()


def test_sessions_are_the_true_ones(cleaned):
    truth = cleaned.store.read(tables.SYNTHETIC_EVENTS).where("kind = 'person'")
    pairs = cleaned.store.read(tables.INTERACTIONS).join(truth, "event_id").distinct()

    matches = pairs.select("session", "session_id").distinct().collect()

    assert len(matches) == len({row.session for row in matches}) > 500
    assert len(matches) == len({row.session_id for row in matches})


def test_items_listed_twice_are_found(cleaned):
    found = {
        row.item_id: row.canonical_id for row in cleaned.store.read(tables.ITEM_ALIASES).collect()
    }
    made = cleaned.store.read(tables.SYNTHETIC_ITEMS).where("item_id <> original_id").collect()
    truth = {row.item_id: row.original_id for row in made}

    n_right = len(found.items() & truth.items())

    assert n_right > 20
    assert 2 * n_right / (len(found) + len(truth)) >= 0.95
