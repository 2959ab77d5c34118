"""Accepted events as arrays: what all steps from events to facts work on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from interest_graph.errors import DataError
from interest_graph.events.facts.codes import Coded, Codes, Floats, Ints, Mask, ranked
from interest_graph.events.periods import days_of

_LARGE = 2**31  # bytes that the offsets of a string array can address
_PIECE = 4_000_000  # rows taken at once, so that their texts stay far below _LARGE


@dataclass(frozen=True)
class Events:
    """Accepted events, n rows in the order they came.

    source, user, item, action: ranked texts; micros: int64[n], since 1970 UTC; day: int32[n], since
    1970; value: float64[n], NaN for none; event_id: texts, null for none; is_crawler: bool[n].
    event_id and is_crawler are None where no source gives them.
    """

    source: Coded
    user: Coded
    item: Coded
    action: Coded
    micros: Ints
    day: Codes
    value: Floats
    event_id: pa.Array | None
    is_crawler: Mask | None

    @classmethod
    def of(cls, table: pa.Table) -> Events:
        """Encode a table. Raises DataError if a source, user, item, action or time is null."""
        micros = _numbers(table, "micros")
        return cls(
            source=ranked(table["source"], "source"),
            user=ranked(table["user_id"], "user_id"),
            item=ranked(table["item_id"], "item_id"),
            action=ranked(table["action"], "action"),
            micros=micros,
            day=days_of(micros),
            # Adding 0 makes -0 a 0: which of the two is kept would depend on the order of rows.
            value=table["value"].to_numpy().astype(np.float64) + 0.0,
            event_id=_texts(table, "event_id"),
            is_crawler=_flags(table, "is_crawler"),
        )

    def ids_of(self, rows: Ints) -> pa.ChunkedArray:
        """The event ids of these rows, as strings of at most _PIECE rows a chunk."""
        if self.event_id is None:
            return pa.chunked_array([pa.nulls(len(rows), pa.string())])
        pieces = [rows[start : start + _PIECE] for start in range(0, len(rows), _PIECE)]
        taken = [self.event_id.take(pa.array(piece)).cast(pa.string()) for piece in pieces]
        return pa.chunked_array(taken, pa.string())


def _numbers(table: pa.Table, name: str) -> Ints:
    column = table[name]
    if column.null_count:
        raise DataError(f"accepted events without {name}", column.null_count)
    values: Ints = column.to_numpy()
    return values


def _texts(table: pa.Table, name: str) -> pa.Array | None:
    """A column in one piece, None if the table lacks it."""
    if name not in table.schema.names:
        return None
    column = table[name]
    kind = pa.large_string() if column.nbytes >= _LARGE else pa.string()
    return pa.concat_arrays([pa.array([], kind), *column.cast(kind).chunks])


def _flags(table: pa.Table, name: str) -> Mask | None:
    """A column of true and false (null: false), None if the table lacks it."""
    if name not in table.schema.names:
        return None
    flags: Mask = table[name].fill_null(False).to_numpy()
    return flags
