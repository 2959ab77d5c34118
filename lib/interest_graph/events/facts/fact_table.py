"""The table of facts, as silver.interactions has it."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from interest_graph.events.facts.codes import Ints
from interest_graph.events.facts.digests import md5_of
from interest_graph.events.facts.events import Events
from interest_graph.events.facts.sessions import Sessions

_TEXT = pa.dictionary(pa.int32(), pa.string())

FACTS = pa.schema(
    [
        pa.field("event_id", pa.string(), nullable=False),
        pa.field("user_id", _TEXT, nullable=False),
        pa.field("item_id", _TEXT, nullable=False),
        pa.field("action", _TEXT, nullable=False),
        pa.field("event_ts", pa.timestamp("us", tz="UTC"), nullable=False),
        pa.field("event_date", pa.date32(), nullable=False),
        pa.field("value", pa.float64()),
        pa.field("session_id", _TEXT, nullable=False),
        pa.field("dwell_seconds", pa.float64()),
        pa.field("source", _TEXT, nullable=False),
    ]
)


def fact_table(events: Events, rows: Ints, sessions: Sessions, chosen: Ints) -> pa.Table:
    """The facts of rows[chosen], in this order; sessions: of all `rows`.

    A session's id is a digest of its user and the time of its first event.
    """
    written = rows[chosen]
    columns = [
        _event_ids(events, written),
        events.user.column(written),
        events.item.column(written),
        events.action.column(written),
        pa.array(events.micros[written], FACTS.field("event_ts").type),
        pa.array(events.day[written], pa.date32()),
        pa.array(events.value[written], from_pandas=True),  # NaN becomes null
        _session_ids(events, rows, sessions.first[chosen]),
        pa.array(sessions.dwell[chosen], from_pandas=True),
        events.source.column(written),
    ]
    return pa.Table.from_arrays(columns, schema=FACTS)


def _event_ids(events: Events, rows: Ints) -> pa.ChunkedArray:
    """The events' ids; where there is none, a digest of source, user, item, action and time."""
    ids = events.ids_of(rows)
    if not ids.null_count:
        return ids
    is_missing = ids.is_null().to_numpy()
    derived = _derived_ids(events, rows[is_missing])
    if ids.null_count == len(ids):
        return derived
    places = pa.array(np.cumsum(is_missing) - 1, mask=~is_missing)
    return pc.coalesce(ids, derived.take(places))


def _derived_ids(events: Events, rows: Ints) -> pa.ChunkedArray:
    texts = (events.source, events.user, events.item, events.action)
    return md5_of(*[text.column(rows) for text in texts], pa.array(events.micros[rows]))


def _session_ids(events: Events, rows: Ints, first: Ints) -> pa.DictionaryArray:
    """first: for each fact, the place in `rows` of the event that its session is named after."""
    is_named = np.zeros(len(rows), bool)
    is_named[first] = True
    named = rows[is_named]
    ids = md5_of(events.user.column(named), pa.array(events.micros[named]))
    codes = (np.cumsum(is_named) - 1)[first].astype(np.int32)
    return pa.DictionaryArray.from_arrays(codes, pa.concat_arrays([_EMPTY, *ids.chunks]))


_EMPTY = pa.array([], pa.string())
