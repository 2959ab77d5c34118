"""Users, items and social edges merged to one row a key.

In each column the newest value that is not null wins; of `attributes`, in each name. Rows already
stored are older than every record of a file. No Spark here: Arrow tables come in and go out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from interest_graph.events.attribute_rows import offsets_of
from interest_graph.events.facts.codes import encoded

FILE, POSITION = "_file", "_position"  # order of records: rank of the file, place in it
_MAP = "attributes"

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


class Merged(NamedTuple):
    """rows: of the keys that records came for; others: stored rows of other keys, as they were.

    is_changed: whether `rows` are not what was stored of these keys.
    """

    rows: pa.Table
    others: pa.Table
    is_changed: bool


@dataclass(frozen=True)
class _Order:
    """Rows by key, from old to new. at: their places; starts: where a key's rows begin in `at`."""

    at: Ints
    starts: Ints


def merge(records: pa.Table, stored: pa.Table, key: Sequence[str]) -> Merged:
    """Merge records into the stored rows, one row a key.

    stored: the columns of the table, of the table's types. records: the same columns, FILE and
    POSITION, in any order; a value may be null in each but the key's. Keys ascend in `rows`.
    """
    n = stored.num_rows
    keys = [[*stored[name].chunks, *records[name].chunks] for name in key]
    codes = _codes([pa.chunked_array(chunks, pa.string()) for chunks in keys])
    is_met = np.isin(codes[:n], codes[n:])
    before = stored.filter(pa.array(is_met))
    given = as_given(before) if "categories" in before.column_names else before
    rows = pa.concat_tables([given, records.select(stored.column_names)]).combine_chunks()
    file, position = (_with_stored(records[name], before.num_rows) for name in (FILE, POSITION))
    order = _by_key(np.concatenate([codes[:n][is_met], codes[n:]]), file, position)
    columns = {
        name: _merged_maps(_one(rows[name]), order) if name == _MAP else _newest(rows[name], order)
        for name in rows.column_names
    }
    merged = pa.table(columns)
    if "categories" in columns:
        merged = complete_items(merged)
    merged = typed(merged.sort_by([(name, "ascending") for name in key]), stored.schema)
    before = before.sort_by([(name, "ascending") for name in key])
    return Merged(merged, stored.filter(pa.array(~is_met)), not _is_equal(merged, before))


def typed(rows: pa.Table, schema: pa.Schema) -> pa.Table:
    """The columns of the schema, in its order and of its types; any may hold null."""
    return pa.table({field.name: rows[field.name].cast(field.type) for field in schema})


def complete_items(items: pa.Table) -> pa.Table:
    """Fill missing values: text from title and categories, categories with an empty list."""
    kind = items.schema.field("categories").type
    filled = pc.fill_null(items["categories"], pa.scalar([], kind))
    items = items.set_column(items.column_names.index("categories"), "categories", filled)
    text = pc.coalesce(items["text"], _made_text(items))
    return items.set_column(items.column_names.index("text"), "text", text)


def as_given(items: pa.Table) -> pa.Table:
    """Undo `complete_items`: values that it filled in become null, so that later records count."""
    is_made = pc.fill_null(pc.equal(items["text"], _made_text(items)), False)
    text = pc.if_else(is_made, pa.scalar(None, pa.string()), items["text"])
    is_filled = pc.fill_null(pc.greater(pc.list_value_length(items["categories"]), 0), False)
    kind = items.schema.field("categories").type
    categories = pc.if_else(is_filled, items["categories"], pa.scalar(None, kind))
    items = items.set_column(items.column_names.index("text"), "text", text)
    return items.set_column(items.column_names.index("categories"), "categories", categories)


def _made_text(items: pa.Table) -> pa.ChunkedArray:
    """ "title. category, category", of what there is; null where there is nothing."""
    joined = pa.chunked_array([_joined(_one(items["categories"]))])
    no_blank = pc.if_else(pc.equal(joined, ""), pa.scalar(None, pa.string()), joined)
    both = pc.binary_join_element_wise(items["title"], no_blank, ". ")  # null where one is
    text = pc.coalesce(both, items["title"], no_blank)
    return pc.if_else(pc.equal(text, ""), pa.scalar(None, pa.string()), text)


def _joined(lists: pa.ListArray) -> pa.StringArray:
    """The texts of each list with ", " between them; null for null, without texts that are null."""
    values = lists.flatten()
    if values.null_count:
        counts = np.bincount(
            pc.list_parent_indices(lists).filter(values.is_valid()), minlength=len(lists)
        )
        lists = pa.ListArray.from_arrays(offsets_of(counts), values.drop_null())
    return pc.binary_join(lists, ", ")


def _codes(columns: Sequence[pa.ChunkedArray]) -> Ints:
    """int64[n]: equal for rows with equal values in all columns."""
    codes = encoded(columns[0])[0].astype(np.int64)
    for column in columns[1:]:
        of_column, texts = encoded(column)
        # Both are less than the number of rows, so that the product fits.
        codes = np.unique(codes * max(len(texts), 1) + of_column, return_inverse=True)[1]
    return codes


def _with_stored(order: pa.ChunkedArray, n_stored: int) -> Ints:
    """A column of the records' order behind that of stored rows, which come first."""
    return np.concatenate([np.full(n_stored, -1, np.int64), order.to_numpy()])


def _by_key(codes: Ints, file: Ints, position: Ints) -> _Order:
    at = np.lexsort((position, file, codes))
    is_first = np.diff(codes[at], prepend=codes[at[:1]] - 1) != 0
    return _Order(at, np.flatnonzero(is_first))


def _newest(column: pa.ChunkedArray, order: _Order) -> pa.ChunkedArray:
    """The newest value of each key that is not null; null where there is none."""
    last = _last_of_each(_bits(column.is_valid())[order.at], order.starts)
    return column.take(pa.array(order.at[last], mask=last < 0))


def _merged_maps(maps: pa.MapArray, order: _Order) -> pa.MapArray:
    """For each key a map with the newest value of every name, names in the order they came."""
    owner, names, values = _entries(maps)
    age, key = _ages_and_keys(order)
    codes, texts = encoded(pa.chunked_array([names]))
    pairs = key[owner] * max(len(texts), 1) + codes
    at = np.lexsort((age[owner], pairs))  # stable: entries of a map stay in order
    starts = np.flatnonzero(np.diff(pairs[at], prepend=pairs[at[:1]] - 1) != 0)
    last = _last_of_each(_bits(values.is_valid())[at], starts)
    newest = at[np.where(last < 0, starts, last)]
    first = at[starts]
    by_age = np.lexsort((first, age[owner[first]]))  # the age of a row tells its key, too
    counts = np.bincount(key[owner[first]], minlength=len(order.starts))
    chosen = pa.array(newest[by_age])
    return pa.MapArray.from_arrays(offsets_of(counts), names.take(chosen), values.take(chosen))


def _ages_and_keys(order: _Order) -> tuple[Ints, Ints]:
    """By row its place in the order, and the number of its key."""
    age, key = np.empty(len(order.at), np.int64), np.empty(len(order.at), np.int64)
    age[order.at] = np.arange(len(order.at))
    sizes = np.diff(order.starts, append=len(order.at))
    key[order.at] = np.repeat(np.arange(len(order.starts)), sizes)
    return age, key


def _entries(maps: pa.MapArray) -> tuple[Ints, pa.Array, pa.Array]:
    """The number of the map that each entry is in, names, values."""
    offsets = maps.offsets.to_numpy()
    low, n = offsets[0], offsets[-1] - offsets[0]
    owner = np.repeat(np.arange(len(maps)), np.diff(offsets))
    names, values = maps.keys.slice(low, n), maps.items.slice(low, n)
    if not maps.null_count:
        return owner, names, values
    is_held = _bits(maps.is_valid())[owner]
    mask = pa.array(is_held)
    return owner[is_held], names.filter(mask), values.filter(mask)


def _last_of_each(mask: Bools, starts: Ints) -> Ints:
    """The last true place of each group, -1 without any; groups begin at `starts`."""
    if not len(starts):
        return np.empty(0, np.int64)
    return np.maximum.reduceat(np.where(mask, np.arange(len(mask)), -1), starts)


def _is_equal(rows: pa.Table, stored: pa.Table) -> bool:
    """Whether all values are equal; maps that merging changed nothing in keep their order."""
    if rows.num_rows != stored.num_rows:
        return False
    return all(_one(rows[name]).equals(_one(stored[name])) for name in rows.column_names)


def _one(column: pa.ChunkedArray) -> pa.Array:
    """The column in one piece."""
    if column.num_chunks == 1:
        return column.chunk(0)
    return pa.concat_arrays([pa.array([], column.type), *column.chunks])


def _bits(mask: pa.Array | pa.ChunkedArray) -> Bools:
    return np.asarray(_one(mask) if isinstance(mask, pa.ChunkedArray) else mask).astype(bool)
