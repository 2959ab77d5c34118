"""Text of Arrow values: plain text of plain values, JSON of lists, maps and structs.

Numbers keep every digit; times are ISO 8601; null gives null. Whole columns are converted at once,
one by one only rare values: text that is not UTF-8, numbers with an exponent.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from interest_graph.events.records import readable

_ESCAPED = (("\\", "\\\\"), ('"', '\\"'), ("\n", "\\n"), ("\r", "\\r"), ("\t", "\\t"))
# Trailing zeros in threes: .120 and .000120 stay so, a whole second has no fraction.
_EMPTY_FRACTION = r"(?:\.0{9}|\.0{6}|\.0{3}|0{6}|0{3})$"
_SECONDS = {unit: Decimal(10) ** -n for unit, n in {"s": 0, "ms": 3, "us": 6, "ns": 9}.items()}
_EXACT_IN_INT64 = 2.0**63


def text_of(column: pa.Array, *, whole: bool = False) -> pa.StringArray:
    """The values as text; of nested values, their JSON.

    whole: floating-point and decimal numbers without a fraction are written as integers and NaN is
    null, as befits ids that became numbers in a table with missing values.
    """
    plain = _plain(column)
    return json_of(plain, whole=whole) if _is_nested(plain.type) else _scalar_text(plain, whole)


def json_of(column: pa.Array, *, whole: bool = False) -> pa.StringArray:
    """The values as JSON text, null where they are null; fields that are null are left out."""
    plain = _plain(column)
    kind = plain.type
    if pa.types.is_map(kind):
        return _map_json(plain, whole)
    if pa.types.is_list(kind):
        return _joined(
            plain, pc.fill_null(json_of(_values(plain, plain.values), whole=whole), "null"), "[]"
        )
    if pa.types.is_struct(kind):
        names = [kind.field(n).name for n in range(kind.num_fields)]
        fields = [json_of(field, whole=whole) for field in plain.flatten()]
        objects = pc.fill_null(objects_of(names, fields, len(plain)), "{}")
        return pc.if_else(plain.is_valid(), objects, None)
    text = _scalar_text(plain, whole)
    if pa.types.is_temporal(kind):
        return _wrapped(text, '""')
    if not (pa.types.is_integer(kind) or pa.types.is_boolean(kind) or _is_fractional(kind)):
        return _quoted(text)
    # JSON knows no NaN and no infinity.
    is_number = pc.match_substring_regex(text, r"[0-9]$")
    return pc.if_else(is_number, text, _wrapped(text, '""')) if _is_fractional(kind) else text


def objects_of(names: Sequence[str], texts: Sequence[pa.Array], n_rows: int) -> pa.StringArray:
    """JSON objects of fields, given as JSON texts; null fields are left out, of none it is null."""
    pairs = [
        pc.fill_null(
            pc.binary_join_element_wise(f",{json.dumps(name, ensure_ascii=False)}:", text, ""), ""
        )
        for name, text in zip(names, texts, strict=True)
    ]
    if not pairs:
        return pa.nulls(n_rows, pa.string())
    # Not null_handling="skip": it gives wrong texts for rows of nulls alone (Arrow 26).
    joined = pc.binary_join_element_wise(*pairs, "")
    opened = pc.binary_replace_slice(joined, 0, 1, "{")
    return pc.if_else(pc.equal(joined, ""), None, pc.binary_join_element_wise(opened, "}", ""))


def _plain(column: pa.Array) -> pa.Array:
    """The column without encodings: no dictionary, view, run ends, large or extension type."""
    kind = column.type
    if isinstance(kind, pa.BaseExtensionType):
        is_uuid = kind.extension_name == "arrow.uuid"
        return _uuid_text(column.storage) if is_uuid else _plain(column.storage)
    if pa.types.is_dictionary(kind):
        return _plain(column.dictionary_decode())
    if pa.types.is_run_end_encoded(kind):
        return _plain(pc.run_end_decode(column))
    if any(_is(test, kind) for test in _LIST_VIEWS):
        # Arrow's own cast of lists with nulls gives offsets that are no array (pyarrow 26).
        return pa.array(column.to_pylist(), pa.list_(kind.value_field))
    for test, target in _SIMPLER:
        if _is(test, kind):
            return column.cast(target(kind))
    return column


def _is(test: str, kind: pa.DataType) -> bool:
    """The outcome of a test of pyarrow.types, which older versions of Arrow may lack."""
    return bool(getattr(pa.types, test, lambda _: False)(kind))


_LIST_VIEWS = ("is_list_view", "is_large_list_view")
# Name of a test in pyarrow.types -> the simpler type to cast to.
_SIMPLER: tuple[tuple[str, Callable[[Any], pa.DataType]], ...] = (
    ("is_large_string", lambda _: pa.string()),
    ("is_string_view", lambda _: pa.string()),
    ("is_large_binary", lambda _: pa.binary()),
    ("is_binary_view", lambda _: pa.binary()),
    ("is_fixed_size_binary", lambda _: pa.binary()),
    ("is_fixed_size_list", lambda kind: pa.list_(kind.value_field)),
    ("is_large_list", lambda kind: pa.list_(kind.value_field)),
    ("is_float16", lambda _: pa.float32()),
    ("is_date64", lambda _: pa.date32()),
)


def _is_nested(kind: pa.DataType) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_struct(kind) or pa.types.is_map(kind))


def _is_fractional(kind: pa.DataType) -> bool:
    return bool(pa.types.is_floating(kind) or pa.types.is_decimal(kind))


def _scalar_text(column: pa.Array, whole: bool) -> pa.StringArray:
    kind = column.type
    if pa.types.is_string(kind) or pa.types.is_binary(kind):
        return _utf8(column)
    if pa.types.is_timestamp(kind):
        return _timestamp_text(column)
    if pa.types.is_time(kind):
        return pc.replace_substring_regex(column.cast(pa.string()), _EMPTY_FRACTION, "")
    if pa.types.is_decimal(kind):
        return _decimal_text(column, whole)
    if pa.types.is_floating(kind):
        return _whole_text(column) if whole else _float_text(column)
    if pa.types.is_duration(kind):
        return _seconds_text(column)
    try:
        return column.cast(pa.string())
    except pa.ArrowNotImplementedError:  # unions, intervals of months: no column of a log
        return pa.array([v if v is None else str(v) for v in column.to_pylist()], pa.string())


def _utf8(column: pa.Array) -> pa.StringArray:
    """Text as it is; of bytes that are no UTF-8 a form that every reader of tables can read."""
    raw = column.cast(pa.binary())
    try:
        return raw.cast(pa.string())
    except pa.ArrowInvalid:
        return pa.array([v if v is None else readable(v) for v in raw.to_pylist()], pa.string())


def _uuid_text(storage: pa.Array) -> pa.StringArray:
    return pa.array([v and str(uuid.UUID(bytes=v)) for v in storage.to_pylist()], pa.string())


def _timestamp_text(column: pa.Array) -> pa.StringArray:
    """ISO 8601; with Z where the column has a zone, since its values are instants of UTC."""
    # Without the zone, which makes Arrow's cast to text ten times as slow.
    moments = column.view(pa.timestamp(column.type.unit))
    with suppress(pa.ArrowInvalid):  # which says that digits would be lost
        moments = moments.cast(pa.timestamp("s"))
    texts = pc.replace_substring(moments.cast(pa.string()), " ", "T", max_replacements=1)
    if moments.type.unit != "s":
        texts = pc.replace_substring_regex(texts, _EMPTY_FRACTION, "")
    return texts if column.type.tz is None else pc.binary_join_element_wise(texts, "Z", "")


def _seconds_text(column: pa.Array) -> pa.StringArray:
    """Durations as numbers of seconds."""
    ticks = column.cast(pa.int64()).cast(pa.decimal128(19, 0))
    seconds = pc.multiply(ticks, pa.scalar(_SECONDS[column.type.unit], pa.decimal128(10, 9)))
    return pc.replace_substring_regex(_decimal_text(seconds, False), r"\.?0+$", "")


def _decimal_text(column: pa.Array, whole: bool) -> pa.StringArray:
    texts = column.cast(pa.string())
    texts = _where(texts, pc.match_substring(texts, "E"), lambda text: f"{Decimal(text):f}")
    return pc.replace_substring_regex(texts, r"\.0+$", "") if whole else texts


def _float_text(column: pa.Array) -> pa.StringArray:
    """Shortest text that gives the same number; else NaN, Infinity or -Infinity."""
    texts = column.cast(pa.string())
    names = {"nan": "NaN", "-nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}
    return _where(texts, pc.invert(pc.is_finite(column)), names.__getitem__)


def _whole_text(column: pa.Array) -> pa.StringArray:
    """Whole numbers as integers, others without an exponent; NaN is null."""
    present = pc.if_else(pc.is_nan(column), None, column)
    is_whole = pc.and_(
        pc.equal(present, pc.floor(present)), pc.less(pc.abs(present), _EXACT_IN_INT64)
    )
    integers = pc.if_else(is_whole, present, None).cast(pa.int64()).cast(pa.string())
    texts = pc.coalesce(integers, _float_text(present))
    return _where(texts, pc.match_substring(texts, "e"), _without_exponent)


def _without_exponent(text: str) -> str:
    number = float(text)
    return str(int(number)) if number.is_integer() else np.format_float_positional(number, trim="-")


def _map_json(column: pa.Array, whole: bool) -> pa.StringArray:
    keys = _quoted(text_of(_values(column, column.keys)))
    items = pc.fill_null(json_of(_values(column, column.items), whole=whole), "null")
    return _joined(column, pc.binary_join_element_wise(keys, items, ":"), "{}")


def _values(column: pa.Array, values: pa.Array) -> pa.Array:
    """The values that a slice of a column of lists refers to."""
    offsets = column.offsets
    return values.slice(offsets[0].as_py(), offsets[-1].as_py() - offsets[0].as_py())


def _joined(column: pa.Array, texts: pa.Array, brackets: str) -> pa.StringArray:
    """The texts of the values put together by the column's lists."""
    lists = pa.ListArray.from_arrays(pc.subtract(column.offsets, column.offsets[0]), texts)
    return pc.if_else(column.is_valid(), _wrapped(pc.binary_join(lists, ","), brackets), None)


def _wrapped(texts: pa.Array, ends: str) -> pa.StringArray:
    return pc.binary_join_element_wise(ends[0], texts, ends[1], "")


def _quoted(texts: pa.Array) -> pa.StringArray:
    """The texts as JSON strings."""
    if pc.any(pc.match_substring_regex(texts, r'["\\\x00-\x1f]')).as_py():
        for char, escaped in _ESCAPED:
            texts = pc.replace_substring(texts, char, escaped)
        is_control = pc.match_substring_regex(texts, r"[\x00-\x1f]")
        texts = _where(texts, is_control, _escape_controls)
    return _wrapped(texts, '""')


def _escape_controls(text: str) -> str:
    return re.sub(r"[\x00-\x1f]", lambda char: f"\\u{ord(char[0]):04x}", text)


def _where(texts: pa.Array, rows: pa.Array, change: Callable[[str], str]) -> pa.StringArray:
    """The texts, changed where `rows` is true; these are few."""
    if not pc.any(rows).as_py():
        return texts
    changed = [change(text) for text in texts.filter(rows).to_pylist()]
    return pc.replace_with_mask(texts, pc.fill_null(rows, False), pa.array(changed, pa.string()))
