"""What must hold for the records of a file on their way to facts, or to rows of attributes."""

from __future__ import annotations

from datetime import UTC, datetime

import pyarrow as pa

from interest_graph.config import CleanConfig, SourceConfig
from interest_graph.events.attribute_rows import shape_rows
from interest_graph.events.facts import clean_part
from interest_graph.events.records import schema_of
from interest_graph.events.rules import refuse
from interest_graph.events.typed_records import type_records

AS_OF = datetime(2024, 6, 1, tzinfo=UTC)
CLEAN = CleanConfig(bots={}, value_caps={"view": 100.0})


def require_sound(records: pa.Table, source: SourceConfig) -> None:
    """The schema is that of records, texts are UTF-8, and refused records have nothing but text."""
    records.validate(full=True)
    assert records.schema.equals(schema_of(source.columns)), "schema"
    refused = records.filter(pa.compute.invert(records["is_readable"]))
    assert refused["payload"].null_count == 0, "a refused record without its text"
    values = [refused[name] for name in source.columns]
    assert all(value.null_count == len(refused) for value in values), "values of a refused record"
    positions = records["position"].to_pylist()
    assert source.explode or positions == sorted(set(positions)), "positions do not ascend"


def require_accounted(records: pa.Table, source: SourceConfig, *, cleans: bool) -> None:
    """No record gets lost on its way to facts or rows, or counts twice."""
    if source.kind != "events":
        shaped = shape_rows(records, source)
        assert len(shaped.rows) + len(shaped.refused) == len(records), "rows + refused"
        shaped.rows.validate(full=True)
        return
    typed = type_records(records, source)
    assert len(typed) == len(records), "typed"
    verdict = refuse(typed, CLEAN, source, AS_OF)
    assert len(verdict.accepted) + len(verdict.refused) == len(records), "accepted + refused"
    n_unreadable = len(records) - pa.compute.sum(records["is_readable"]).as_py() if records else 0
    assert verdict.counts.get("reason.unreadable", 0) == n_unreadable, "unreadable"
    verdict.refused.validate(full=True)
    if cleans and len(verdict.accepted):
        cleaned = clean_part(verdict.accepted, CLEAN, None)
        dropped = {k: n for k, n in cleaned.counts.items() if k not in ("accepted", "kept")}
        assert cleaned.counts["accepted"] == len(verdict.accepted), "accepted"
        assert cleaned.counts["kept"] + sum(dropped.values()) == len(verdict.accepted), "kept"
        cleaned.facts.validate(full=True)
