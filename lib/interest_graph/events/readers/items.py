"""Records with a list of items to one record an item."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from interest_graph.config import SourceConfig
from interest_graph.events.readers.duck import literal, query
from interest_graph.events.readers.json_exact import Number, decode, id_text, to_json
from interest_graph.events.readers.json_lists import DOUBTFUL, replaced

_ROOM = 20  # bits: rows of tables are numbered in steps of 2^20, to leave room for their items
_MOST_BRACKETS = 500  # more may be nested so deep that recursive code exhausts its stack


def one_item_each(records: pa.Table, source: SourceConfig, *, is_text: bool) -> pa.Table:
    """A record for each item of a record, if source.explode is set; else the records unchanged.

    item_id: a JSON array, of which null elements are left out, or else text that is split at the
    delimiter source.explode. An empty list gives one record without an item. Whole numbers are
    written as integers, objects as JSON text. position: of the k-th item (from 0), the record's +
    k in text formats (is_text), else row * 2^20 + k.
    """
    if source.explode is None:
        return records
    if not is_text:
        rows = pc.shift_left(records["position"], pa.scalar(_ROOM, pa.int64()))
        records = records.set_column(0, "position", rows)
    items = _item_lists(records["item_id"], source.explode)
    n_items = pc.fill_null(pc.list_value_length(items), 0).to_numpy().astype(np.int64)
    n_records = np.maximum(n_items, 1)
    parent = np.repeat(np.arange(len(records)), n_records)
    first = np.cumsum(n_records) - n_records
    number = np.arange(len(parent)) - first[parent]
    at = np.cumsum(n_items) - n_items
    has_item = (n_items > 0)[parent]
    place = pa.array(at[parent] + number, mask=~has_item)
    exploded = records.take(pa.array(parent))
    item = pc.list_flatten(items).take(place).cast(pa.string())
    position = pc.add(exploded["position"], pa.array(number))
    column = exploded.column_names.index("item_id")
    return exploded.set_column(0, "position", position).set_column(column, "item_id", item)


def _item_lists(items: pa.ChunkedArray, delimiter: str) -> pa.ListArray:
    """The items of each text: list<string>, null for a null."""
    texts = items.combine_chunks()
    is_deep = pc.greater(pc.count_substring(texts, "["), _MOST_BRACKETS)
    sql = f"""
        SELECT CASE WHEN is_list THEN
                list_filter(json_extract_string(item, '$[*]'), item -> item IS NOT NULL)
            ELSE string_split(item, {literal(delimiter)}) END AS items,
            coalesce(is_list AND regexp_matches(item, '{DOUBTFUL}'), false) AS is_doubtful
        FROM (SELECT item, CASE WHEN NOT is_deep AND starts_with(ltrim(item), '[')
            AND json_valid(item) THEN true ELSE false END AS is_list FROM texts)"""
    found = query(sql, texts=pa.table({"item": texts, "is_deep": is_deep}))
    lists = found["items"].combine_chunks().cast(pa.list_(pa.string()))
    doubtful = np.flatnonzero(found["is_doubtful"].to_numpy())
    if len(doubtful) == 0:
        return lists
    again = pa.array(
        [_read_exactly(text) for text in texts.take(pa.array(doubtful)).to_pylist()], lists.type
    )
    return replaced(lists, doubtful, again)


def _read_exactly(text: str) -> list[str]:
    value = decode(text)
    if not isinstance(value, list):
        return [text]
    return [_text(element) for element in value if element is not None]


def _text(element: object) -> str:
    if isinstance(element, Number):
        return id_text(element)
    return element if isinstance(element, str) else to_json(element)
