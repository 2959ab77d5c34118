"""Mapped fields of JSON objects as text columns: parsed by DuckDB.

DuckDB rewrites some numbers (1.50 to 1.5, 20 digits to a double) and takes the first of a key that
is there twice. The few objects where that matters are found and read again by json_exact.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from interest_graph.events.readers import json_exact
from interest_graph.events.readers.duck import identifier, literal, query
from interest_graph.events.readers.lines import (
    Mask,
    Offsets,
    as_binaries,
    not_utf8,
    up_to_the_next,
)

# More brackets than this may be nested so deep that recursive code exhausts its stack.
_MOST_BRACKETS = 500
_ANY_NUMBER = 2**31

# Numbers whose text a double may change: two or more decimals that end in 0, exponents, 16 digits
# and more, tiny ones, -0; and what is no number of JSON (nan, inf).
_NUMBERS = (
    r"[:\[,\s]-?(?:[0-9]+(?:[.][0-9]+0|(?:[.][0-9]+)?[eE][+-]?[0-9]+|[.][0-9]{12,})"
    r"|[0-9]{5,}[.][0-9]{9,}|[0-9]{8,}[.][0-9]{5,}|[0-9]{12,}[.][0-9]+|0[.]000[0-9]*)\s*[,}\]]"
    r"|[:\[,\s]-(?:0|[iI])|[:\[,\s](?:[nN][aA]|[iI][nN][fF])"
)
# The first test spares most lines the second, which copies them.
_OBJECT = """CASE WHEN (starts_with(line, '{')
        OR starts_with(ltrim(line, chr(32) || chr(9) || chr(10) || chr(13)), '{'))
    AND json_valid(line) THEN line END"""
_NUMBER = r"[:\[,\s](-?(?:[0-9]+(?:[.][0-9]+)?(?:[eE][+-]?[0-9]+)?|[nN][aA][nN]|[iI][nN][fF][iI]?))"
_REWRITTEN = f"""SELECT n FROM doubtful WHERE len(list_filter(
    regexp_extract_all(line, '{_NUMBER}', 1),
    number -> regexp_matches(number, '^-0$|^-?[nNiI]|[eE]') OR (contains(number, '.')
        AND TRY_CAST(number AS DOUBLE)::VARCHAR IS DISTINCT FROM number))) > 0"""


def parse_objects(
    window: bytes,
    starts: Offsets,
    ends: Offsets,
    columns: Mapping[str, str],
    *,
    are_lines: bool = False,
) -> pa.Table:
    """A row each piece of the window, with the columns of records from is_readable on.

    starts, ends: of the pieces; ascending, not overlapping; are_lines: nothing but white space
    lies between them, and behind the last. Of a piece that is not one JSON object in UTF-8,
    is_readable is false and everything else null.
    """
    cut = up_to_the_next(window, starts) if are_lines else as_binaries(window, starts, ends)
    lines = cut.view(pa.large_string())
    broken, deep = not_utf8(lines), _many_brackets(window, starts, ends)
    hidden = np.zeros(len(starts), np.bool_)
    hidden[broken] = True
    hidden |= deep
    if hidden.any():
        lines = pc.if_else(pa.array(hidden), pa.scalar(None, pa.large_string()), lines)
    pieces = pa.table({"line": lines, "n_keys": _most_keys(window, starts, ends)})
    found = query(_select(tuple(columns.items())), pieces=pieces)
    deep[broken] = False
    again = np.union1d(_to_read_again(found, lines), np.flatnonzero(deep))
    table = found.select(range(2 + len(columns)))
    if len(again) == 0:
        return table
    texts = [window[starts[row] : ends[row]].decode() for row in again.tolist()]
    return _replace(
        table,
        again,
        pa.Table.from_pylist([_read_exactly(text, columns) for text in texts], table.schema),
    )


def _many_brackets(window: bytes, starts: Offsets, ends: Offsets) -> Mask:
    many = np.zeros(len(starts), np.bool_)
    long = np.flatnonzero(ends - starts > _MOST_BRACKETS)
    for n in long.tolist():
        start, end = int(starts[n]), int(ends[n])
        many[n] = window.count(b"{", start, end) + window.count(b"[", start, end) > _MOST_BRACKETS
    return many


def _most_keys(window: bytes, starts: Offsets, ends: Offsets) -> Offsets:
    """int64[n]: how many keys each piece has at the most, on all levels; a scan of the bytes.

    A key is a quote with a colon behind it, and no quote within a string has one unless it is
    escaped. Where blanks stand before a colon, any number may be.
    """
    text = np.frombuffer(window, np.uint8)
    before = np.flatnonzero(text[1:] == ord(":"))
    kind = text[before]
    n_keys = _counts_within(before[kind == ord('"')], starts, ends)
    is_blank = (kind <= ord(" ")) | (kind == ord("/"))
    n_keys[_counts_within(before[is_blank], starts, ends) > 0] = _ANY_NUMBER
    return n_keys


def _counts_within(places: Offsets, starts: Offsets, ends: Offsets) -> Offsets:
    """int64[n]: how many of the places, ascending, lie in each piece."""
    return np.searchsorted(places, ends) - np.searchsorted(places, starts)


@cache
def _select(columns: tuple[tuple[str, str], ...]) -> str:
    """SQL that parses `pieces`."""
    paths = {name: n + 1 for n, name in enumerate(_pointers(name for _, name in columns))}
    values = ", ".join(f"{_value(key, name, paths)} AS {identifier(key)}" for key, name in columns)
    whole = {_pointer(name) for _, name in columns}
    n_taken = " + ".join(f"(p[{paths[path]}] IS NOT NULL)::INT" for path in sorted(whole))
    patch = literal(json.dumps({name: None for _, name in columns}))
    nested = [name for _, name in columns if "." in name]
    again = " OR ".join(["false", *(_is_json_in_text(name, paths) for name in nested)])
    ways = sorted({way for name in nested for way in _ways(name)})
    # As text: the hash of a list lets elements that are there twice cancel each other out.
    keys = ["keys::VARCHAR", *(f"json_keys(j, {literal(way)})::VARCHAR" for way in ways)]
    signature = f"concat_ws(chr(1), {', '.join(keys)})"
    return f"""
        SELECT j IS NOT NULL AS is_readable,
            CASE WHEN has_rest THEN nullif(json_merge_patch(j, {patch})::VARCHAR, '{{}}') END
                AS payload,
            {values},
            CASE WHEN has_rest THEN {again} ELSE false END AS is_json_in_text,
            CASE WHEN has_rest THEN hash({signature}) END AS signature
        FROM (SELECT j, p, keys, coalesce(len(keys) > {n_taken}, false) AS has_rest
            FROM (SELECT j, p, CASE WHEN n_keys > {n_taken} THEN json_keys(j) END AS keys
                FROM (SELECT j, n_keys,
                        json_extract_string(j, [{", ".join(map(literal, paths))}]) AS p
                    FROM (SELECT {_OBJECT} AS j, n_keys FROM pieces))))"""


def _pointers(names: Any) -> list[str]:
    """JSON pointers of all that must be looked up for these names, each once."""
    found: dict[str, None] = {}
    for name in names:
        found[_pointer(name)] = None
        parts = name.split(".")
        for depth in range(1, len(parts) + 1 if len(parts) > 1 else 1):
            found[_pointer(*parts[:depth])] = None
    return list(found)


def _pointer(*parts: str) -> str:
    return "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in parts)


def _ways(name: str) -> list[str]:
    """Pointers of the objects that a nested field is reached through."""
    parts = name.split(".")
    return [_pointer(*parts[:depth]) for depth in range(1, len(parts))]


def _value(column: str, name: str, paths: Mapping[str, int]) -> str:
    pointers = dict.fromkeys((_pointer(name), _pointer(*name.split("."))))
    found = [f"p[{paths[pointer]}]" for pointer in pointers]
    text = f"coalesce({', '.join(found)})" if len(found) > 1 else found[0]
    if column not in json_exact.ID_COLUMNS:
        return text
    kinds = ", ".join(f"nullif(json_type(j, {literal(pointer)}), 'NULL')" for pointer in pointers)
    whole = f"replace(left({text}, -2), '-0', '0')"
    by_kind = f"CASE coalesce({kinds}) WHEN 'DOUBLE' THEN {whole} ELSE {text} END"
    # One within the other, not AND: DuckDB would look at the kinds of all rows.
    return f"CASE WHEN ends_with({text}, '.0') THEN {by_kind} ELSE {text} END"


def _is_json_in_text(name: str, paths: Mapping[str, int]) -> str:
    """Whether a nested field was not found, but one on the way to it may be JSON text."""
    parts = name.split(".")
    texts = [
        f"(starts_with(ltrim(p[{paths[way]}]), '{{') AND json_type(j, {literal(way)}) = 'VARCHAR')"
        for way in _ways(name)
    ]
    missing = f"p[{paths[_pointer(*parts)]}] IS NULL AND p[{paths[_pointer(name)]}] IS NULL"
    return f"coalesce({missing} AND ({' OR '.join(texts)}), false)"


def _to_read_again(found: pa.Table, lines: pa.LargeStringArray) -> Offsets:
    """Numbers of the rows that DuckDB does not give as they were written."""
    # By place, since mapped columns may have any names.
    is_json_in_text, signature = found.columns[-2:]
    again = is_json_in_text.to_numpy().copy()
    again |= _have_key_twice(signature.combine_chunks(), lines)
    # Arrow's RE2 takes half the time of DuckDB's.
    is_match = pc.fill_null(pc.match_substring_regex(lines, _NUMBERS), False)
    rows = np.flatnonzero(found["is_readable"].to_numpy() & is_match.to_numpy(False))
    if len(rows):
        texts = pa.table({"n": rows, "line": lines.take(pa.array(rows))})
        again[query(_REWRITTEN, doubtful=texts)["n"].to_numpy()] = True
    return np.flatnonzero(again)


def _have_key_twice(signatures: pa.Array, lines: pa.LargeStringArray) -> Mask:
    """Whether an object holds a key twice, itself or in an object that is reached into.

    signatures: hash of the keys. There are few, so that one object of each is looked at.
    """
    kinds = signatures.dictionary_encode()
    codes = kinds.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    first = np.full(len(kinds.dictionary), -1)
    rows = np.flatnonzero(codes >= 0)[::-1]
    first[codes[rows]] = rows
    texts = lines.take(pa.array(first)).to_pylist()
    has_key_twice: Mask = np.array([*map(json_exact.has_key_twice, texts), False])[codes]
    return has_key_twice


def _read_exactly(text: str, columns: Mapping[str, str]) -> dict[str, Any]:
    try:
        record = json_exact.parse_object(text)
        if record is not None:
            texts, payload = json_exact.mapped_and_rest(record, columns)
            return {"is_readable": True, "payload": payload, **texts}
    except RecursionError:
        pass
    return {"is_readable": False}


def _replace(table: pa.Table, rows: Offsets, others: pa.Table) -> pa.Table:
    """The table with these others in place of the rows of these numbers."""
    source = np.arange(len(table))
    source[rows] = len(table) + np.arange(len(rows))
    return pa.concat_tables([table, others]).take(pa.array(source))
