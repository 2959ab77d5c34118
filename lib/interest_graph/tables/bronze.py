"""Records as received, and the ledger of the files that they came from."""

from __future__ import annotations

from interest_graph.contract import Table

FILES = Table(
    name="bronze.files",
    columns="""
        source       STRING NOT NULL COMMENT 'source name in the configuration',
        path         STRING NOT NULL COMMENT 'file or folder as listed',
        size_bytes   BIGINT NOT NULL COMMENT 'size when listed',
        modified_ts  TIMESTAMP NOT NULL COMMENT 'modification time when listed',
        batch_id     STRING NOT NULL COMMENT 'the ingest batch that took it in',
        status       STRING NOT NULL COMMENT 'pending before its rows are written, done after',
        n_rows       BIGINT COMMENT 'rows taken from it, null while pending',
        settings     STRING COMMENT 'digest of the settings that shaped its records'""",
    key=("source", "path"),
    writer="ingest",
    comment="Ledger of input files; a pending batch is finished first by the next run",
    checks={"known_status": "status IN ('pending', 'done')"},
)

EVENTS = Table(
    name="bronze.events",
    columns="""
        source      STRING NOT NULL COMMENT 'source name in the configuration',
        file        STRING NOT NULL COMMENT 'file that the record came from',
        position    BIGINT NOT NULL COMMENT 'byte or row of the file where the record begins',
        event_id    STRING COMMENT 'id given by the producer, if any',
        user_id     STRING COMMENT 'as received',
        item_id     STRING COMMENT 'as received',
        action      STRING COMMENT 'as received, before mapping',
        event_time  STRING COMMENT 'as received, before parsing',
        value       STRING COMMENT 'rating, price, seconds or count, as received',
        user_agent  STRING COMMENT 'as received, if any',
        payload     STRING COMMENT 'the rest of the record as JSON, or the raw line if unreadable',
        is_readable BOOLEAN NOT NULL COMMENT 'false when the line could not be split into columns',
        batch_id    STRING NOT NULL COMMENT 'the ingest batch that took it in'""",
    key=("source", "file", "position"),
    writer="ingest",
    comment="Behaviour log records as received",
    partition_by=("batch_id",),  # a re-run replaces exactly its batch; no other files are touched
    # Every reader selects batches: statistics would cost a tenth of the write and prune nothing.
    properties={"delta.dataSkippingNumIndexedCols": "0"},
)
