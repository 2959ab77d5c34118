"""What clean finds in a made-up log, beside the truth that was written with it.

    python tests/benchmarks/truth.py FOLDER --events 1000000 [--heap 2g]

Makes the log in FOLDER, takes it in and cleans it. The last line is JSON: precision and recall of
every reason, of bots and of items listed twice, the share of people lost, the share of events in
the right session, and whether every record is accounted for.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

from made_log import open_made_job

Scores = dict[str, float | int]


def main() -> None:
    """Make, ingest, clean, compare; print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--heap", default="2g")
    options = parser.parse_args()
    size = {
        "events": options.events,
        "users": max(100, options.events // 50),
        "bots_per_rule": 2 + options.events // 50_000,
    }
    folder = options.folder / f"truth-{options.events}"
    pipeline = open_made_job(
        folder / "log", folder / "warehouse", size, spark={"spark.driver.memory": options.heap}
    )
    run(pipeline)
    print(
        json.dumps(
            {
                "events": options.events,
                "rows_in": pipeline.rows["rows_in"],
                "all_accounted_for": is_accounted(pipeline.rows),
                "malformed": refusals(pipeline),
                **repeats(pipeline),
                "bots": bots(pipeline),
                "people_lost": people_lost(pipeline),
                "events_in_their_session": sessions(pipeline),
                "items_listed_twice": same_items(pipeline),
            }
        )
    )


def run(pipeline: Any) -> None:
    """Generate, ingest, clean."""
    from interest_graph.jobs.clean import JOB as CLEAN
    from interest_graph.jobs.generate import JOB as GENERATE
    from interest_graph.jobs.ingest import JOB as INGEST

    for step in (GENERATE, INGEST, CLEAN):
        pipeline.run(step)


def is_accounted(rows: dict[str, int]) -> bool:
    """Whether records in are exactly those kept, dropped and quarantined."""
    dropped = sum(n for name, n in rows.items() if name.startswith("dropped."))
    return rows["rows_in"] == rows["kept"] + dropped + rows["quarantined"]


def refusals(pipeline: Any) -> Scores:
    """Malformed records against quarantined ones: right is the one true reason and no other."""
    from pyspark.sql import functions as F

    from interest_graph import tables

    event_id = F.coalesce(
        F.get_json_object("payload", "$.event_id"), F.regexp_extract("payload", '"id":"([^"]*)"', 1)
    )
    found = pipeline.store.read(tables.QUARANTINE).select(event_id.alias("event_id"), "reasons")
    made = pipeline.store.read(tables.SYNTHETIC_EVENTS).where("kind LIKE 'malformed.%'")
    both = made.join(found, "event_id", "full")
    is_right = F.expr("reasons = array(replace(kind, 'malformed.', ''))")
    n_right = both.where(is_right).count()
    return scores(n_right, found.count(), made.count())


def repeats(pipeline: Any) -> dict[str, Scores]:
    """Repeats of each kind: dropped against made; people's own events are looked at elsewhere."""
    from interest_graph import tables

    made = pipeline.store.read(tables.SYNTHETIC_EVENTS)
    counts = {row["kind"]: row["count"] for row in made.groupBy("kind").count().collect()}
    kept = pipeline.store.read(tables.INTERACTIONS).select("event_id")
    wrongly_kept = made.where("kind IN ('duplicate_event', 'retry')").join(
        kept, "event_id", "left_semi"
    )
    missed = {row["kind"]: row["count"] for row in wrongly_kept.groupBy("kind").count().collect()}
    # A repeat under the same event id cannot be told from its original: a second row would show it.
    missed["duplicate_id"] = kept.count() - kept.distinct().count()
    return {
        kind: scores(
            counts[kind] - missed.get(kind, 0), pipeline.rows[f"dropped.{kind}"], counts[kind]
        )
        for kind in ("duplicate_id", "duplicate_event", "retry")
    }


def bots(pipeline: Any) -> Scores:
    """Users listed with the rule that they were made to break."""
    from interest_graph import tables

    made = pipeline.store.read(tables.SYNTHETIC_EVENTS).where("kind LIKE 'bot.%'")
    true = made.selectExpr("user_id", "replace(kind, 'bot.', '') AS rule").distinct()
    found = pipeline.store.read(tables.BOTS).select("user_id", "rule").distinct()
    return scores(true.intersect(found).count(), found.count(), true.count())


def people_lost(pipeline: Any) -> float:
    """Share of people of whom no event is left."""
    from interest_graph import tables

    people = pipeline.store.read(tables.SYNTHETIC_EVENTS).where("kind = 'person'").select("user_id")
    kept = pipeline.store.read(tables.INTERACTIONS).select("user_id").distinct()
    return people.distinct().join(kept, "user_id", "left_anti").count() / people.distinct().count()


def sessions(pipeline: Any) -> float:
    """Share of people's events in a session that holds all events of the true one and no other."""
    from pyspark.sql import functions as F

    from interest_graph import tables

    made = pipeline.store.read(tables.SYNTHETIC_EVENTS).where("kind = 'person'")
    kept = pipeline.store.read(tables.INTERACTIONS).select("event_id", "session_id")
    pairs = made.select("event_id", "session").join(kept, "event_id").distinct()
    grouped = pairs.groupBy("session", "session_id").count()
    n_ours = grouped.groupBy("session").agg(F.count(F.lit(1)).alias("n_ours"))
    n_true = grouped.groupBy("session_id").agg(F.count(F.lit(1)).alias("n_true"))
    right = grouped.join(n_ours, "session").join(n_true, "session_id").where("n_ours * n_true = 1")
    (n_right,) = right.agg(F.sum("count")).first() or (0,)
    return float(n_right / made.select("event_id").distinct().count())


def same_items(pipeline: Any) -> Scores:
    """Items mapped to the listing that they repeat."""
    from interest_graph import tables

    made = pipeline.store.read(tables.SYNTHETIC_ITEMS).where("item_id <> original_id")
    found = pipeline.store.read(tables.ITEM_ALIASES).selectExpr(
        "item_id", "canonical_id AS original_id"
    )
    n_right = made.intersect(found.select(*made.columns)).count()
    result = scores(n_right, found.count(), made.count())
    total = result["precision"] + result["recall"]
    return result | {"f1": 2 * result["precision"] * result["recall"] / total if total else 0.0}


def scores(n_right: int, n_found: int, n_true: int) -> Scores:
    """Precision and recall of `n_right` right ones."""
    precision = n_right / n_found if n_found else 0.0
    return {"precision": precision, "recall": n_right / n_true if n_true else 0.0, "n": n_true}


if __name__ == "__main__":
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    main()
