"""Years, months, days and times of day, as a pattern matched them, to microseconds in UTC."""

from __future__ import annotations

import re

import numpy as np
import numpy.typing as npt

from interest_graph.config.time_patterns import MONTHS, WEEKDAYS
from interest_graph.config.time_zones import written_zone
from interest_graph.events.shapes import ShapeGroup, Span
from interest_graph.events.zone_offsets import Zone, to_utc

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

_DAY = 86_400  # seconds
_LAST_YEAR = 9999
# Names of months and weekdays by their first three letters.
_MONTH = {name[:3]: number for number, name in enumerate(MONTHS, 1)}
_WEEKDAY = {name[:3]: number for number, name in enumerate(WEEKDAYS)}
# Part -> the part that it says, and the lowest and highest number.
_HOURS = {"clock_hour": ("hour", 1, 24), "clock_half_hour": ("half_hour", 1, 12)}
_HOURS["half_hour"] = ("half_hour", 0, 11)


def _calendar() -> tuple[Ints, Ints, Ints]:
    """Day since 1970 of each year's start; by leap year and month, its first day and its days."""
    years = np.arange(_LAST_YEAR + 2) - 1970
    year_starts = years.astype("datetime64[Y]").astype("datetime64[D]").astype(np.int64)
    lengths = np.zeros((2, 100), np.int64)  # months are written with two digits; length 0: none
    lengths[:, 1:13] = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
    lengths[1, 2] = 29
    return year_starts, np.cumsum(lengths, axis=1) - lengths, lengths


_YEAR_STARTS, _MONTH_STARTS, _MONTH_LENGTHS = _calendar()


def utc_micros(group: ShapeGroup, match: re.Match[bytes], zone: Zone | None) -> tuple[Ints, Flags]:
    """Microseconds since 1970 in UTC, and whether there is such a time: int64[n], bool[n].

    match: of `time_regex` with the group's shape; zone: of times that are written without one.
    """
    parts, is_time = _numbers(group, match)
    days, is_date = _days(parts, len(group.rows))
    seconds, is_clock = _seconds_of_day(parts)
    is_time &= is_date & is_clock
    if "weekday" in parts:
        is_time &= (days + 3) % 7 == parts["weekday"]  # 1970 began with a Thursday
    utc, exists = _in_utc(days * _DAY + seconds, group, _zone_span(match), zone)
    return utc * 1_000_000 + parts.get("micros", np.int64(0)), is_time & exists


def _numbers(group: ShapeGroup, match: re.Match[bytes]) -> tuple[dict[str, Ints], Flags]:
    """The parts as numbers, and whether they are in range and agree where one is written twice."""
    parts: dict[str, Ints] = {}
    fits = np.ones(len(group.rows), bool)
    for name in (name for name, text in match.groupdict().items() if text is not None):
        written = name.rstrip("0123456789")
        part, numbers, in_range = _number(group, match.span(name), written)
        fits &= in_range
        if part in parts:
            fits &= parts[part] == numbers
        parts[part] = numbers
    return parts, fits


def _number(group: ShapeGroup, span: Span, written: str) -> tuple[str, Ints, Flags | bool]:
    """The part that is meant, its numbers, and whether these are in range."""
    word = group.shape[slice(*span)].decode("utf-8", "replace").lower()
    if written == "month_name":
        return "month", np.asarray(_MONTH[word[:3]]), True
    if written == "weekday":
        return "weekday", np.asarray(_WEEKDAY[word[:3]]), True
    if written == "half":
        return "half", np.asarray(12 * (word == "pm")), True
    if written in ("zone", "era"):
        return written, np.asarray(0), True
    numbers = group.number(span)
    if written.startswith("literal_"):
        return written, numbers, numbers == int(written.split("_")[1])
    if written == "fraction":
        return "micros", numbers * 10 ** (9 - len(word)) // 1000, True
    if written == "year_of_century":
        return "year", numbers + 2000, True
    if written in _HOURS:
        part, low, high = _HOURS[written]
        return part, numbers % high if low else numbers, (numbers >= low) & (numbers <= high)
    return written, numbers, True


def _days(parts: dict[str, Ints], n: int) -> tuple[Ints, Flags]:
    """Days since 1970; a month or day that an optional section leaves out is the first."""
    if "year" not in parts:
        return np.zeros(n, np.int64), np.zeros(n, bool)
    year, one = parts["year"], np.asarray(1)
    start = _YEAR_STARTS[year]
    length = _YEAR_STARTS[year + 1] - start
    if "day_of_year" in parts:
        day = parts["day_of_year"]
    else:
        leap, month = length - 365, parts.get("month", one)
        day_of_month, length = parts.get("day", one), _MONTH_LENGTHS[leap, month]
        start, day = start + _MONTH_STARTS[leap, month], day_of_month
    return start + day - 1, (year > 0) & (day > 0) & (day <= length)


def _seconds_of_day(parts: dict[str, Ints]) -> tuple[Ints, Flags]:
    zero = np.asarray(0)
    half = parts.get("half", zero)
    hour = parts.get("hour", parts.get("half_hour", zero) + half)
    minute, second = parts.get("minute", zero), parts.get("second", zero)
    fits = (hour < 24) & (minute < 60) & (second < 60)
    if "hour" in parts and "half" in parts:
        fits = fits & ((hour >= 12) == (half > 0))
    total = hour * 3600 + minute * 60 + second
    ends_day = (total == _DAY) & (hour == 24) & (parts.get("micros", zero) == 0)
    return total, fits | ends_day


def _zone_span(match: re.Match[bytes]) -> Span | None:
    named = (name for name, text in match.groupdict().items() if text is not None)
    first = next((name for name in named if name.startswith("zone")), None)
    return None if first is None else match.span(first)


def _in_utc(
    local: Ints, group: ShapeGroup, span: Span | None, zone: Zone | None
) -> tuple[Ints, Flags]:
    """Seconds in UTC, by the zones that the texts name, and else by `zone`."""
    if span is None:
        return _from_zone(local, zone)
    names, numbers = group.texts(span)
    if len(names) == 1:
        return _from_zone(local, written_zone(names[0]))
    utc, exists = local.copy(), np.zeros(len(local), bool)
    for number, name in enumerate(names):
        rows = np.flatnonzero(numbers == number)
        utc[rows], exists[rows] = _from_zone(local[rows], written_zone(name))
    return utc, exists


def _from_zone(local: Ints, zone: Zone | None) -> tuple[Ints, Flags]:
    return (local, np.zeros(len(local), bool)) if zone is None else to_utc(local, zone)
