"""Bots, found by a user's behaviour in one day."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from interest_graph.config.clean import BotConfig
from interest_graph.events.facts.codes import Codes, Ints, Mask

RULES = ("events_per_minute", "events_per_day", "items_per_day", "active_hours", "steady_gaps")
NO_BOT = -1
_NO_LIMIT = 2**62
Integers = npt.NDArray[np.object_]
_MINUTE, _HOUR = 60_000_000, 3_600_000_000  # microseconds


@dataclass(frozen=True)
class UserDays:
    """Distinct events, those of a user's day side by side in order of time.

    start: int64[d], the first row of each user's day; number: int64[n], the day of each row, from
    0; micros: int64[n]; item: int32[n], codes of items.
    """

    start: Ints
    number: Ints
    micros: Ints
    item: Codes

    @classmethod
    def of(cls, is_first: Mask, micros: Ints, item: Codes) -> UserDays:
        """is_first: bool[n], true at the first row of a user's day."""
        return cls(np.flatnonzero(is_first), np.cumsum(is_first) - 1, micros, item)

    @cached_property
    def sizes(self) -> Ints:
        """int64[d]: events of each user's day."""
        return np.diff(self.start, append=len(self.number))


def verdicts(days: UserDays, config: BotConfig) -> npt.NDArray[np.int8]:
    """int8[d]: the first of RULES that each user's day breaks, by its place; NO_BOT for none.

    Rules whose setting is null are off. All but one limit a number of events, items or hours, which
    only days with more events than that can exceed: where there is none, nothing else is looked at.
    """
    broken = {
        "events_per_minute": _has_burst(days, config.events_per_minute or _NO_LIMIT),
        "events_per_day": _has_more(days, config.events_per_day or _NO_LIMIT),
        "items_per_day": _has_more_items(days, config.items_per_day or _NO_LIMIT),
        "active_hours": _has_more_hours(days, config.active_hours or _NO_LIMIT),
        "steady_gaps": _is_steady(days, config.steady_gap_events, config.steady_gap_variation),
    }
    verdict = np.full(len(days.start), NO_BOT, np.int8)
    for place, rule in reversed(list(enumerate(RULES))):
        verdict[broken[rule]] = place
    return verdict


def _has_burst(days: UserDays, limit: int) -> Mask:
    """Whether more than `limit` events lie within a minute: two that are `limit` places apart."""
    found = _has_more(days, limit)
    if found.any():
        is_near = days.micros[limit:] - days.micros[:-limit] < _MINUTE
        is_near &= days.number[limit:] == days.number[:-limit]
        found[:] = False
        found[days.number[limit:][is_near]] = True
    return found


def _has_more(days: UserDays, limit: int) -> Mask:
    return days.sizes > limit


def _has_more_items(days: UserDays, limit: int) -> Mask:
    found = _has_more(days, limit)
    if found.any():
        rows = np.flatnonzero(found[days.number])
        n_items = int(days.item.max()) + 1
        pairs = np.unique(days.number[rows] * n_items + days.item[rows])  # below 2**31 * 2**31
        found = np.bincount(pairs // n_items, minlength=len(found)) > limit
    return found


def _has_more_hours(days: UserDays, limit: int) -> Mask:
    found = _has_more(days, limit)
    if found.any():
        hour = days.micros // _HOUR
        is_new = np.diff(hour, prepend=hour[:1]) != 0
        is_new[days.start] = True
        found = np.bincount(days.number[is_new], minlength=len(found)) > limit
    return found


def _is_steady(days: UserDays, least: int | None, variation: float) -> Mask:
    """Whether standard deviation <= variation * mean of the gaps between a day's events.

    With n gaps, their sum S and the sum Q of their squares: n Q - S**2 <= (variation * S)**2. The
    left side is exact, because it is the small difference of two large numbers.
    """
    found = np.zeros(len(days.start), bool)
    if least is None:
        return found
    chosen = np.flatnonzero(days.sizes >= max(least, 2))  # a day of one event has no gap
    if len(chosen):
        n, (total, squares) = days.sizes[chosen] - 1, _sums_of_gaps(days, chosen)
        spread = (n * squares - total * total).astype(np.float64)
        found[chosen] = spread <= (variation * total.astype(np.float64)) ** 2
    return found


def _sums_of_gaps(days: UserDays, chosen: Ints) -> tuple[Integers, Integers]:
    """Sum of the gaps of each chosen day, and of their squares, as integers of any size."""
    gap = np.diff(days.micros, prepend=0)
    gap[days.start] = 0
    high, low = gap >> 19, gap & (2**19 - 1)  # a gap is less than 2**37: no sum of these overflows
    terms = (gap, high * high, high * low, low * low)
    sums = [np.add.reduceat(term, days.start)[chosen].astype(object) for term in terms]
    total, high_high, high_low, low_low = sums
    return total, high_high * 2**38 + high_low * 2**20 + low_low
