"""Repeats of an event. Which record is kept depends on the contents, not on the order.

An act is one user's action on one item in one source. Acts are numbered, and all functions work on
rows in the order of `acts_of`, so that repeats are neighbours.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from interest_graph.events.facts.codes import (
    Codes,
    Ints,
    Mask,
    encoded,
    in_longer_runs,
    merged,
    order_by,
    ranks,
    starts_of_runs,
)
from interest_graph.events.facts.events import Events

DUPLICATE_ID = "duplicate_id"
DUPLICATE_EVENT = "duplicate_event"
RETRY = "retry"


@dataclass(frozen=True)
class Acts:
    """Rows ordered by act, time, event id (none last) and value (the larger first, none last).

    rows: int64[n], of the events; number: int64[n], of the act, ascending; day, micros: as Events.
    """

    rows: Ints
    number: Ints
    day: Codes
    micros: Ints

    def where(self, is_chosen: Mask) -> Acts:
        """The acts that are chosen, in the same order."""
        return Acts(
            self.rows[is_chosen],
            self.number[is_chosen],
            self.day[is_chosen],
            self.micros[is_chosen],
        )


def acts_of(events: Events) -> Acts:
    """Order the events by act, time and content: a total order of all that is looked at."""
    texts = (events.user, events.source, events.item, events.action)
    act = merged(*[text.codes for text in texts])
    rows = order_by(*act, events.micros)
    number = np.cumsum(starts_of_runs(*[codes[rows] for codes in act]), dtype=np.int64)
    micros = events.micros[rows]
    tied = np.flatnonzero(in_longer_runs(starts_of_runs(number, micros)))
    among = rows[tied]
    keys = (-events.value[among], ranks(events.ids_of(among)), micros[tied], number[tied])
    rows[tied] = among[np.lexsort(keys)]
    return Acts(rows, number, events.day[rows], micros)


def without_repeated_ids(events: Events, acts: Acts) -> tuple[Acts, Ints]:
    """Drop the acts whose event id the same act has already had that day; also: the rows dropped.

    The earliest is kept. An id stands for one act on one item: an order of several items, under one
    id, is several events. Events without an id are never dropped.
    """
    candidates = np.flatnonzero(in_longer_runs(starts_of_runs(acts.number, acts.day)))
    code, _ = encoded(events.ids_of(acts.rows[candidates]))
    at, code = candidates[code >= 0], code[code >= 0]
    number, day = acts.number[at], acts.day[at]
    in_groups = np.lexsort((code, number))  # stable: those of one id stay in order of time
    groups = starts_of_runs(number[in_groups], day[in_groups], code[in_groups])
    is_repeat = np.zeros(len(acts.rows), bool)
    is_repeat[at[in_groups[~groups]]] = True
    return acts.where(~is_repeat), acts.rows[is_repeat]


def without_repeated_events(acts: Acts, *, retry_seconds: int) -> tuple[Ints, Ints, Ints]:
    """Rows kept, rows that repeat an act at the same time, and rows that are retries.

    Retries follow the same act by at most `retry_seconds`, even if that one is itself a retry, so
    that whole chains are dropped.
    """
    follows = ~starts_of_runs(acts.number)
    pause = np.diff(acts.micros, prepend=acts.micros[:1])
    is_same = follows & (pause == 0)
    is_retry = follows & (pause > 0) & (pause <= retry_seconds * 1_000_000)
    return acts.rows[~(is_same | is_retry)], acts.rows[is_same], acts.rows[is_retry]
