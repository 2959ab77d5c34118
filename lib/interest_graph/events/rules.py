"""Splits typed records into those that are accepted and those refused, each with its reasons."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from json.encoder import encode_basestring
from types import MappingProxyType

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from interest_graph.config import CleanConfig, SourceConfig
from interest_graph.events.built_in_rules import built_in_rules, has_action, latest_micros
from interest_graph.events.crawlers import are_crawlers
from interest_graph.events.declared_rules import declared_rules

Flags = npt.NDArray[np.bool_]

# Columns of a refused record in its payload, and what they are called there.
_REFUSED_AS = {
    "event_id": "event_id",
    "user_id": "user_id",
    "item_id": "item_id",
    "event_time": "event_time",
    "user_agent": "user_agent",
    "payload": "payload",
    "_action": "action",
    "_value": "value",
}
_ACCEPTED = ("source", "event_id", "user_id", "item_id", "action", "micros", "value")
_NEEDED = (*_ACCEPTED, "event_date", "user_agent")
_NO_MASKS: Mapping[int, pa.BooleanArray] = MappingProxyType({})


@dataclass(frozen=True)
class Verdict:
    """What became of the records of a source.

    accepted: source, event_id, user_id, item_id, action, micros, value, and is_crawler where the
    settings ask for it; refused: row (place among the records), position,
    reasons, payload; counts: "reason.CODE" -> records,
    warnings included, without zeros; days: int32, days since 1970 of accepted records, ascending;
    earliest_future: the earliest time in the future, in microseconds since 1970, None without any.
    """

    accepted: pa.Table
    refused: pa.Table
    counts: dict[str, int]
    days: npt.NDArray[np.int32]
    earliest_future: int | None


def refuse(
    typed: pa.Table,
    config: CleanConfig,
    source: SourceConfig,
    as_of: datetime,
    by_spark: Mapping[int, pa.BooleanArray] = _NO_MASKS,
) -> Verdict:
    """Apply the built-in rules and those of `config.rules`.

    typed: records of `source`, from `type_records`; as_of: bounds future times. by_spark: for each
    place in config.rules of a rule with engine spark, which records break it. Raises DataError if a
    predicate fails on a record.
    """
    refusing, warning = _broken_by_reason(typed, config, source, as_of, by_spark)
    broken = np.zeros(len(typed), bool)
    for flags in refusing.values():
        broken |= flags
    accepted = typed.select(_NEEDED)
    if broken.any():
        accepted = accepted.filter(pa.array(~broken))
    return Verdict(
        accepted=_accepted(accepted, config, source),
        refused=_refused(typed, np.flatnonzero(broken), refusing),
        counts=_counts(refusing, warning),
        days=np.sort(pc.unique(accepted["event_date"]).cast(pa.int32()).to_numpy()),
        earliest_future=_earliest_after(typed["micros"], latest_micros(config, as_of)),
    )


def _broken_by_reason(
    typed: pa.Table,
    config: CleanConfig,
    source: SourceConfig,
    as_of: datetime,
    by_spark: Mapping[int, pa.BooleanArray],
) -> tuple[dict[str, Flags], dict[str, Flags]]:
    """Reason -> which records break its rules, of those that refuse and of those that warn."""
    declared = declared_rules(typed, config.rules, by_spark)
    by_severity = {
        severity: [(rule.reason, flags) for rule, flags in declared if rule.severity == severity]
        for severity in ("refuse", "warn")
    }
    built_in = built_in_rules(typed, config, source, as_of)
    return _by_reason([*built_in, *by_severity["refuse"]]), _by_reason(by_severity["warn"])


def _by_reason(rules: Iterable[tuple[str, Flags]]) -> dict[str, Flags]:
    found: dict[str, Flags] = {}
    for reason, flags in rules:
        if flags.any():
            found[reason] = found[reason] | flags if reason in found else flags
    return found


def _counts(*by_reason: Mapping[str, Flags]) -> dict[str, int]:
    merged = _by_reason(pair for reasons in by_reason for pair in reasons.items())
    return {f"reason.{reason}": int(flags.sum()) for reason, flags in merged.items()}


def _accepted(typed: pa.Table, config: CleanConfig, source: SourceConfig) -> pa.Table:
    value = typed["value"]
    for action, cap in config.value_caps.items():
        is_over = pc.and_(pa.array(has_action(typed, action)), pc.greater(value, float(cap)))
        value = pc.if_else(is_over, float(cap), value)
    accepted = typed.select(_ACCEPTED)
    accepted = accepted.set_column(_ACCEPTED.index("value"), "value", value)
    if config.bots is None or not config.bots.crawler_agents or "user_agent" not in source.columns:
        return accepted
    return accepted.append_column("is_crawler", are_crawlers(typed["user_agent"]))


def _refused(typed: pa.Table, rows: npt.NDArray[np.int64], reasons: dict[str, Flags]) -> pa.Table:
    """The records of these rows with every reason, in the order of the rules."""
    records = typed.take(rows)
    return pa.table(
        {
            "row": pa.array(rows),
            "position": records["position"],
            "reasons": _lists_of_reasons(rows, reasons),
            "payload": pa.array(_payloads(records), pa.string()),
        }
    )


def _lists_of_reasons(rows: npt.NDArray[np.int64], reasons: dict[str, Flags]) -> pa.ListArray:
    held = np.zeros((len(rows), len(reasons)), bool)
    for place, flags in enumerate(reasons.values()):
        held[:, place] = flags[rows]
    offsets = np.concatenate([[0], np.cumsum(held.sum(axis=1))]).astype(np.int32)
    names = pa.array(list(reasons), pa.string())
    return pa.ListArray.from_arrays(pa.array(offsets), names.take(pa.array(np.nonzero(held)[1])))


def _payloads(records: pa.Table) -> Iterable[str | None]:
    """Of an unreadable record its raw text, of others what was received as a JSON object."""
    fields = [_json_fields(records[name], written) for name, written in _REFUSED_AS.items()]
    readable, raw = records["is_readable"].to_pylist(), records["payload"].to_pylist()
    for is_readable, text, *present in zip(readable, raw, *fields, strict=True):
        yield f"{{{','.join(filter(None, present))}}}" if is_readable else text


def _json_fields(texts: pa.ChunkedArray, name: str) -> list[str | None]:
    # Quoting text by text takes a third of the time of a JSON encoder for each record.
    return [
        None if text is None else f'"{name}":{encode_basestring(text)}'
        for text in texts.to_pylist()
    ]


def _earliest_after(micros: pa.ChunkedArray, latest: int) -> int | None:
    late = micros.filter(pc.greater(micros, latest))
    return pc.min(late).as_py() if len(late) else None
