"""Texts that are JSON arrays, and their elements. DuckDB parses; no loop over rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


def is_json_list(texts: pa.Array) -> pa.Array:
    """Whether each text is one JSON array, blanks around it aside; never null.

    texts: string[n]. A text that only looks like an array, such as [draft], is none.
    """
    looks = pc.fill_null(pc.match_substring_regex(texts, r"\A\s*\[(?s:.*)\]\s*\z"), False)
    if not pc.any(looks).as_py():
        return looks
    valid = _in_duckdb("SELECT json_valid(text) AS found FROM texts", texts.filter(looks))
    return _scattered(looks, valid)


def list_elements(texts: pa.Array) -> pa.Array:
    """The elements of JSON arrays as texts, list<string>[n].

    texts: string[n], for all of which `is_json_list` holds. Strings are unescaped, null stays null;
    arrays and objects within become JSON texts, numbers are written as DuckDB writes them.
    """
    if not len(texts):
        return pa.array([], pa.list_(pa.string()))
    found = _in_duckdb("SELECT json_extract_string(text, '$[*]') AS found FROM texts", texts)
    return found.cast(pa.list_(pa.string()))


def _in_duckdb(query: str, texts: pa.Array) -> pa.Array:
    import duckdb  # takes a while to load, and most files have no lists

    with duckdb.connect(config={"threads": 1}) as db:
        db.register("texts", pa.table({"text": texts}))
        answer: Any = db.execute(query).to_arrow_table()
    return answer["found"].combine_chunks()


def _scattered(where: pa.Array, values: pa.Array) -> pa.Array:
    """True where the next of `values` for a true `where` is true; bool[n]."""
    full = np.zeros(len(where), dtype=bool)
    full[where.to_numpy(zero_copy_only=False)] = values.to_numpy(zero_copy_only=False)
    return pa.array(full)
