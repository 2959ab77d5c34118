"""Rows of users, items and social edges from the records of one attribute source.

A record that gives no row is refused with every reason, as records of events are; no record is
dropped without one. Merging rows to one a key, across records, files and runs, is done by
`events.attributes`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import reduce
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from interest_graph.config import SourceConfig
from interest_graph.config.sources import ITEM_COLUMNS, USER_COLUMNS
from interest_graph.events.readers.json_lists import is_json_list, list_elements
from interest_graph.events.records import FIXED, MAX_ID_LENGTH

REFUSED = pa.schema(
    [("position", pa.int64()), ("reasons", pa.list_(pa.string())), ("payload", pa.string())]
)

_NUMBER = r"\A[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?\z"

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Columns = dict[str, pa.Array]  # column -> its values, each [n]


class Shaped(NamedTuple):
    """Rows of the readable, complete records, and the others with the reasons why (REFUSED)."""

    rows: pa.Table
    refused: pa.Table


def shape_rows(records: pa.Table, source: SourceConfig) -> Shaped:
    """Split the records of a source of users, items or social edges into rows and refusals.

    records: the table of `records.schema_of(source.columns)`. Rows have the columns of the silver
    table of that kind and `position`; where a value may be missing, it is null. A refusal's payload
    is the record as JSON, or its raw text if it is not readable. len(rows) + len(refused) is
    len(records).
    """
    fixed, texts = _columns_of(records, source)
    columns = _SHAPES[source.kind](texts, source)
    broken = {
        "unreadable": pc.invert(fixed["is_readable"]),
        **_where(fixed["is_readable"], _broken(columns, _KEYS[source.kind])),
    }
    is_refused = reduce(pc.or_, broken.values())
    rows = pa.table({**columns, "position": fixed["position"]})
    return Shaped(rows.filter(pc.invert(is_refused)), _refusals(fixed, texts, broken, is_refused))


def split_categories(texts: pa.Array, delimiter: str) -> pa.Array:
    """Trimmed, distinct, non-empty categories in the order given, list<string>[n].

    texts: string[n], a JSON array or names with `delimiter` between them. Null for no category.
    """
    is_list = is_json_list(texts)
    of_lists, of_texts = np.flatnonzero(_bits(is_list)), np.flatnonzero(~_bits(is_list))
    listed = list_elements(texts.filter(is_list))
    split = pc.split_pattern(texts.filter(pc.invert(is_list)), delimiter)
    owner = np.concatenate(
        [of_lists[pc.list_parent_indices(listed)], of_texts[pc.list_parent_indices(split)]]
    )
    names = pc.utf8_trim(pa.concat_arrays([listed.flatten(), split.flatten()]), " ")
    filled = np.flatnonzero(_bits(pc.not_equal(names, "")))
    by_owner = filled[np.argsort(owner[filled], kind="stable")]
    owner, names = owner[by_owner], names.take(pa.array(by_owner))
    first = _first_of_each(owner, names)
    return _lists(owner[first], names.take(pa.array(first)), len(texts))


def _columns_of(records: pa.Table, source: SourceConfig) -> tuple[Columns, Columns]:
    """The fixed columns and the mapped ones, each column in one piece."""
    arrays = [
        column.chunk(0) if column.num_chunks else pa.array([], column.type)
        for column in records.combine_chunks().columns
    ]
    names = [name for name, _ in FIXED]
    mapped = zip(source.columns, arrays[len(names) :], strict=True)
    return dict(zip(names, arrays, strict=False)), dict(mapped)


def _users(texts: Columns, _: SourceConfig) -> Columns:
    return {"user_id": _given(texts, "user_id"), "attributes": _attributes(texts, USER_COLUMNS)}


def _items(texts: Columns, source: SourceConfig) -> Columns:
    return {
        "item_id": _given(texts, "item_id"),
        "title": _given(texts, "title"),
        "text": _given(texts, "text"),
        "categories": split_categories(_given(texts, "categories"), source.list_delimiter),
        "attributes": _attributes(texts, ITEM_COLUMNS),
    }


def _social_edges(texts: Columns, _: SourceConfig) -> Columns:
    ends = {name: _given(texts, name) for name in ("user_id", "friend_id")}
    return {**ends, "weight": _weights(_given(texts, "weight"))}


_SHAPES = {"users": _users, "items": _items, "social_edges": _social_edges}
_KEYS = {"users": ("user_id",), "items": ("item_id",), "social_edges": ("user_id", "friend_id")}


def _broken(columns: Columns, keys: Sequence[str]) -> Columns:
    """Reason -> bool[n], true for rows refused for it, else false or null."""
    reasons = {f"missing_{key}": pc.is_null(columns[key]) for key in keys}
    for key in keys:
        reasons[f"long_{key}"] = pc.greater(pc.utf8_length(columns[key]), MAX_ID_LENGTH)
    if "item_id" in keys:
        reasons["list_item_id"] = is_json_list(columns["item_id"])
    if "friend_id" in keys:
        reasons["self_edge"] = pc.equal(columns["user_id"], columns["friend_id"])
        reasons["bad_weight"] = pc.is_null(columns["weight"])
        reasons["weight_not_positive"] = pc.less_equal(columns["weight"], 0.0)
    return reasons


def _where(readable: pa.Array, reasons: Columns) -> Columns:
    return {name: pc.fill_null(pc.and_(readable, mask), False) for name, mask in reasons.items()}


def _given(texts: Columns, name: str) -> pa.Array:
    """A mapped column without the blanks around; null where it is blank or not mapped."""
    if name not in texts:
        return pa.nulls(len(next(iter(texts.values()))), pa.string())
    trimmed = pc.utf8_trim(texts[name], " ")
    return pc.if_else(pc.equal(trimmed, ""), pa.scalar(None, pa.string()), trimmed)


def _weights(given: pa.Array) -> pa.Array:
    """Weights of edges, double[n]: 1 where none is given, null where it is no finite number."""
    trimmed = pc.utf8_trim_whitespace(given)
    # A cast alone would take "nan" and "inf".
    is_number = pc.match_substring_regex(trimmed, _NUMBER)
    digits = pc.replace_substring_regex(trimmed, r"\A\+", "")
    number = pc.if_else(is_number, digits, pa.scalar(None, pa.string())).cast(pa.float64())
    finite = pc.if_else(pc.is_finite(number), number, pa.scalar(None, pa.float64()))
    return pc.if_else(pc.fill_null(pc.equal(trimmed, ""), True), 1.0, finite)


def _attributes(texts: Columns, known: Sequence[str]) -> pa.Array:
    """The other mapped columns, map<string, string>[n]; missing and blank values are left out."""
    names = [name for name in texts if name not in known]
    n = len(next(iter(texts.values())))
    values = pa.concat_arrays([pa.array([], pa.string()), *(texts[name] for name in names)])
    # From column after column to row after row.
    values = values.take(pa.array(np.arange(len(values)).reshape(len(names), n).T.ravel()))
    is_given = _bits(pc.not_equal(pc.utf8_trim_whitespace(values), ""))
    keys = pa.array(names, pa.string()).take(pa.array(np.tile(np.arange(len(names)), n)[is_given]))
    counts = is_given.reshape(n, len(names)).sum(axis=1)
    return pa.MapArray.from_arrays(offsets_of(counts), keys, values.filter(pa.array(is_given)))


def _first_of_each(owner: Ints, names: pa.Array) -> Ints:
    """Places of the first of equal (owner, name) pairs, in order."""
    codes = names.dictionary_encode()
    pairs = owner * max(len(codes.dictionary), 1) + codes.indices.to_numpy()
    return np.sort(np.unique(pairs, return_index=True)[1])


def _lists(owner: Ints, values: pa.Array, n: int) -> pa.Array:
    """list<string>[n] of the values by owner, which ascends; null for an owner without any."""
    counts = np.bincount(owner, minlength=n)
    lists = pa.ListArray.from_arrays(offsets_of(counts), values)
    return pc.if_else(pa.array(counts > 0), lists, pa.scalar(None, lists.type))


def offsets_of(counts: Ints) -> pa.Array:
    """Where lists of these lengths begin, and where the last ends, int32[n + 1]."""
    return pa.array(np.concatenate(([0], np.cumsum(counts))), pa.int32())


def _bits(mask: pa.Array) -> Bools:
    """A mask as an array; null counts as false."""
    return np.asarray(pc.fill_null(mask, False).to_numpy(zero_copy_only=False))


def _refusals(fixed: Columns, texts: Columns, broken: Columns, is_refused: pa.Array) -> pa.Table:
    """The refused records with their reasons; loops over them alone, for they are few."""
    masks = pa.table(broken).filter(is_refused).to_pylist()
    reasons = [[reason for reason, holds in row.items() if holds] for row in masks]
    received = pa.table(fixed).filter(is_refused)
    given = pa.table(texts).filter(is_refused).to_pylist()
    rests = received["payload"].to_pylist()
    whole = received["is_readable"].to_pylist()
    payloads = [
        _as_json({**row, "payload": rest}) if is_whole else rest
        for row, rest, is_whole in zip(given, rests, whole, strict=True)
    ]
    positions = received["position"].combine_chunks()
    return pa.table([positions, reasons, payloads], schema=REFUSED)


def _as_json(record: dict[str, str | None]) -> str:
    given = {name: text for name, text in record.items() if text is not None}
    return json.dumps(given, ensure_ascii=False, separators=(",", ":"))
