"""Texts that are JSON arrays, and their elements. DuckDB parses; no loop over rows."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from interest_graph.events.readers.json_exact import decode, to_json

# Lists with numbers that DuckDB may rewrite, or write otherwise than ids are written.
DOUBTFUL = r"[:\[,\s]-?(?:[0-9]+[.eE]|[0-9]{16}|0[\],\s]|[nN][aA]|[iI])"


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
    arrays and objects within become JSON texts, numbers keep their digits.
    """
    if not len(texts):
        return pa.array([], pa.list_(pa.string()))
    found = _in_duckdb("SELECT json_extract_string(text, '$[*]') AS found FROM texts", texts)
    lists = found.cast(pa.list_(pa.string()))
    doubtful = np.flatnonzero(pc.match_substring_regex(texts, DOUBTFUL).to_numpy(False))
    if not len(doubtful):
        return lists
    # DuckDB would write 1.50 as 1.5 and 1e3 as 1000.0.
    exact = [_elements(texts[row].as_py()) or lists[row].as_py() for row in doubtful.tolist()]
    return replaced(lists, doubtful, pa.array(exact, lists.type))


def replaced(lists: pa.Array, places: npt.NDArray[np.int64], others: pa.Array) -> pa.Array:
    """The lists with these others at these places."""
    source = np.arange(len(lists))
    source[places] = len(lists) + np.arange(len(places))
    return pa.concat_arrays([lists, others]).take(pa.array(source))


def _elements(text: str) -> list[str | None] | None:
    """The elements; None where Python reads no list: it is nested too deep, for one."""
    try:
        elements = decode(text)
        if isinstance(elements, list):
            return [e if e is None or isinstance(e, str) else to_json(e) for e in elements]
    except RecursionError:
        pass
    return None


def _in_duckdb(sql: str, texts: pa.Array) -> pa.Array:
    # DuckDB takes a while to load, and most files have no lists.
    from interest_graph.events.readers.duck import query

    return query(sql, texts=pa.table({"text": texts}))["found"].combine_chunks()


def _scattered(where: pa.Array, values: pa.Array) -> pa.Array:
    """True where the next of `values` for a true `where` is true; bool[n]."""
    full = np.zeros(len(where), dtype=bool)
    full[where.to_numpy(zero_copy_only=False)] = values.to_numpy(zero_copy_only=False)
    return pa.array(full)
