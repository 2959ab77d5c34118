"""The record of every run, and the truth of synthetic logs."""

from __future__ import annotations

from interest_graph.contract import Table

SYNTHETIC_EVENTS = Table(
    name="ops.made_events",
    columns="""
        event_id STRING COMMENT 'id in the record',
        user_id  STRING COMMENT 'user in the record',
        item_id  STRING COMMENT 'item in the record',
        kind     STRING NOT NULL COMMENT 'person, duplicate_*, retry, bot.* or malformed.*',
        session  STRING COMMENT 'true session of a person on a day'""",
    key=("event_id", "kind"),
    writer="generate",
    comment="What each record of the made-up log is",
)

SYNTHETIC_ITEMS = Table(
    name="ops.made_items",
    columns="""
        item_id     STRING NOT NULL COMMENT 'as listed',
        original_id STRING NOT NULL COMMENT 'the item that it is; itself unless listed twice'""",
    key=("item_id",),
    writer="generate",
    comment="Which made-up items are the same thing",
)

RUNS = Table(
    name="ops.runs",
    columns="""
        run_id         STRING NOT NULL COMMENT 'also in userMetadata of every commit of the run',
        job            STRING NOT NULL COMMENT 'which job',
        status         STRING NOT NULL COMMENT 'succeeded or failed',
        as_of          TIMESTAMP NOT NULL COMMENT 'the run saw nothing later',
        started_ts     TIMESTAMP NOT NULL COMMENT 'wall clock',
        seconds        DOUBLE NOT NULL COMMENT 'wall time',
        peak_memory_mb DOUBLE NOT NULL COMMENT 'JVM and Python processes on the driver host',
        rows           MAP<STRING, BIGINT> NOT NULL COMMENT 'rows in, kept, dropped by reason',
        reads          MAP<STRING, BIGINT> NOT NULL COMMENT 'Delta versions read',
        writes         MAP<STRING, BIGINT> NOT NULL COMMENT 'Delta versions after the run',
        fingerprint    STRING NOT NULL COMMENT 'digests of settings and inputs, and of outputs',
        error          STRING COMMENT 'one line, for failed runs'""",
    key=("run_id", "job"),
    writer="every job",
    comment="One row a run of a job",
    checks={"known_status": "status IN ('succeeded', 'failed')"},
)
