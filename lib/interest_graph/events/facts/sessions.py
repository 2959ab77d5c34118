"""Sessions, divided by gaps of inactivity, and dwell times."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from interest_graph.config import CleanConfig
from interest_graph.events.facts.codes import Codes, Floats, Ints, Mask, starts_of_runs

_SECOND = 1_000_000  # microseconds


@dataclass(frozen=True)
class Sessions:
    """first: int64[n], the row of the event that each row's session is named after;
    dwell: float64[n], seconds to the next event of the session, NaN for its last.
    """

    first: Ints
    dwell: Floats


def sessions_of(user: Codes, day: Codes, micros: Ints, config: CleanConfig) -> Sessions:
    """Find the sessions of distinct events that are ordered by day, user and time; n rows.

    A session is a user's sequence of events without a gap above `session_gap_minutes`. With
    session_ends_at_midnight it ends at midnight UTC; otherwise it may pass one midnight, and at the
    next it continues as another session, so that it never depends on more than the day before.
    dwell is at most `max_dwell_seconds`.
    """
    if config.session_ends_at_midnight:
        return _in_order(starts_of_runs(user, day), None, micros, config)
    by_user = np.argsort(user, kind="stable")
    user, day, micros = user[by_user], day[by_user], micros[by_user]
    found = _in_order(starts_of_runs(user), starts_of_runs(user, day), micros, config)
    first, dwell = np.empty_like(found.first), np.empty_like(found.dwell)
    first[by_user], dwell[by_user] = by_user[found.first], found.dwell
    return Sessions(first, dwell)


def _in_order(breaks: Mask, midnights: Mask | None, micros: Ints, config: CleanConfig) -> Sessions:
    """breaks: where no session goes on; midnights: where one goes on, but only once."""
    limit = config.session_gap_minutes * 60 * _SECOND
    pause = np.diff(micros, prepend=micros[:1])
    is_first = breaks | (pause > limit)
    first = _latest(is_first) if midnights is None else _across_midnight(is_first, midnights)
    dwell = np.full(len(micros), np.nan)
    goes_on = ~is_first[1:]
    seconds = np.minimum(pause[1:] / _SECOND, config.max_dwell_seconds)
    dwell[:-1][goes_on] = seconds[goes_on]
    return Sessions(first, dwell)


def _across_midnight(is_first: Mask, midnights: Mask) -> Ints:
    """The first row of each row's session; a part of a day is named after the part before it.

    Only by the part before, never by the one that this was named after: that ends a session at the
    second midnight.
    """
    part = _latest(is_first | midnights)
    named = part.copy()
    carried = np.flatnonzero(midnights & ~is_first)
    named[carried] = part[carried - 1]
    return named[part]


def _latest(is_start: Mask) -> Ints:
    """int64[n]: the last row, up to each row, where `is_start` is true; it is at row 0."""
    return np.maximum.accumulate(np.where(is_start, np.arange(len(is_start)), 0))
