"""The rules that every record must meet, whatever the settings; in the order of their reasons."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from interest_graph.config import CleanConfig, SourceConfig
from interest_graph.events.records import MAX_ID_LENGTH

Flags = npt.NDArray[np.bool_]

_EPOCH_START = datetime(1970, 1, 1, tzinfo=UTC)


def built_in_rules(
    typed: pa.Table, config: CleanConfig, source: SourceConfig, as_of: datetime
) -> Iterator[tuple[str, Flags]]:
    """Each reason, and which records break its rule: bool[n]; typed: from `type_records`."""
    readable = _flags(typed["is_readable"])
    yield "unreadable", ~readable
    for name in ("user_id", "item_id"):
        yield f"missing_{name}", readable & _is_null(typed[name])
    for name in ("user_id", "item_id"):
        yield f"long_{name}", _is_long(typed[name])
    if source.explode is None:
        yield "list_item_id", _is_list(typed["item_id"])
    missing, unknown = _lacking(typed["action"], typed["_action"])
    yield "missing_action", readable & missing
    yield "unknown_action", unknown
    yield from _time_rules(typed, config, as_of, readable)
    yield from _value_rules(typed, config)


def latest_micros(config: CleanConfig, as_of: datetime) -> int:
    """The latest time, in microseconds since 1970, that is not in the future."""
    latest = as_of + timedelta(minutes=config.clock_skew_minutes)
    return (latest - _EPOCH_START) // timedelta(microseconds=1)


def has_action(typed: pa.Table, action: str) -> Flags:
    """Which records are of this action: bool[n]."""
    pieces = [np.zeros(0, bool)]
    for piece in typed["action"].chunks:
        code = piece.dictionary.index(action).as_py()  # -1: no record has it
        codes = piece.indices.fill_null(-2).to_numpy()
        pieces.append(codes == code)
    return np.concatenate(pieces)


def _time_rules(
    typed: pa.Table, config: CleanConfig, as_of: datetime, readable: Flags
) -> Iterator[tuple[str, Flags]]:
    missing, wrong = _lacking(typed["micros"], typed["event_time"])
    yield "missing_time", readable & missing
    yield "bad_time", wrong
    micros = typed["micros"]
    oldest = (config.oldest - date(1970, 1, 1)) // timedelta(microseconds=1)
    yield "future_time", _flags(pc.greater(micros, latest_micros(config, as_of)))
    yield "ancient_time", _flags(pc.less(micros, oldest))


def _value_rules(typed: pa.Table, config: CleanConfig) -> Iterator[tuple[str, Flags]]:
    value = typed["value"]
    yield "bad_value", _lacking(value, typed["_value"])[1]
    yield "negative_value", _flags(pc.less(value, 0.0))
    for action, (low, high) in sorted(config.value_bounds.items()):
        outside = pc.or_(pc.less(value, low), pc.greater(value, high))
        yield "value_out_of_bounds", has_action(typed, action) & _flags(outside)


def _lacking(parsed: pa.ChunkedArray, texts: pa.ChunkedArray) -> tuple[Flags, Flags]:
    """Where a column is null since its text is missing or blank, and where since it is wrong."""
    is_null = _is_null(parsed)
    wrong = is_null & ~_is_null(texts)
    rows = np.flatnonzero(wrong)
    if len(rows):
        wrong[rows] = _flags(pc.not_equal(pc.utf8_trim_whitespace(texts.take(rows)), ""))
    return is_null & ~wrong, wrong


def _is_long(ids: pa.ChunkedArray) -> Flags:
    # Characters are counted only where there are that many bytes.
    is_long = _flags(pc.greater(pc.binary_length(ids), MAX_ID_LENGTH))
    rows = np.flatnonzero(is_long)
    if len(rows):
        is_long[rows] = _flags(pc.greater(pc.utf8_length(ids.take(rows)), MAX_ID_LENGTH))
    return is_long


def _is_list(ids: pa.ChunkedArray) -> Flags:
    is_list = _flags(pc.starts_with(ids, "["))
    rows = np.flatnonzero(is_list)
    if len(rows):
        is_list[rows] = [_is_json_list(text) for text in ids.take(rows).to_pylist()]
    return is_list


def _is_json_list(text: str) -> bool:
    try:
        return isinstance(json.loads(text), list)
    except (ValueError, RecursionError):
        return False


def _is_null(column: pa.ChunkedArray) -> Flags:
    return _flags(column.is_null()) if column.null_count else np.zeros(len(column), bool)


def _flags(column: pa.ChunkedArray) -> Flags:
    """Truth values as bool[n], null being false."""
    flags: Flags = column.fill_null(False).to_numpy()
    return flags.copy() if not flags.flags.writeable else flags
