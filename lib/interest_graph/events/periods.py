"""Periods: the partitions of tables of facts, which are days, months or years.

A partition of a few hundred rows makes files that cost more to open than to read. How long a
period is follows from how much a day holds when the table is first written.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt

MICROS_A_DAY = 86_400_000_000
GRAINS = {"day": 10, "month": 7, "year": 4}  # the characters of a date that name the period
_LEAST_ROWS = {"day": 50_000, "month": 5_000}  # of a period, on average
_MOST_MONTHS = 24  # partitions that hold little


def days_of(micros: npt.NDArray[np.int64]) -> npt.NDArray[np.int32]:
    """The days since 1970 of moments in microseconds since 1970, UTC."""
    return (micros // MICROS_A_DAY).astype(np.int32)


def period_of_days(days: np.ndarray, grain: str) -> np.ndarray:
    """The names of the periods of days since 1970: 2024-05-01, 2024-05 or 2024."""
    texts = np.datetime_as_string(days.astype("datetime64[D]"), unit="D")
    return texts.astype(f"U{GRAINS[grain]}")


def grain_for(n_rows: int, days: Collection[date]) -> str:
    """The shortest period that holds enough rows on average; months or years where none does."""
    for grain, least in _LEAST_ROWS.items():
        if n_rows >= least * max(len(periods_of(days, grain)), 1):
            return grain
    return "month" if len(periods_of(days, "month")) <= _MOST_MONTHS else "year"


def grain_of(periods: Iterable[str]) -> str | None:
    """The grain of a table with such periods; None without any."""
    lengths = {length: grain for grain, length in GRAINS.items()}
    return next((lengths[len(period)] for period in periods), None)


def periods_of(days: Iterable[date], grain: str) -> list[str]:
    """The periods in which the days lie, in order."""
    return sorted({day.isoformat()[: GRAINS[grain]] for day in days})


def whole_periods(days: Collection[date], grain: str, known: Collection[date]) -> set[date]:
    """The known days that lie in the periods of the given ones, and these."""
    if grain == "day":
        return set(days)
    periods = set(periods_of(days, grain))
    return {day for day in known if day.isoformat()[: GRAINS[grain]] in periods} | set(days)


def as_numbers(days: Iterable[date]) -> tuple[int, ...]:
    """Days since 1970, ascending."""
    return tuple(sorted((day - date(1970, 1, 1)).days for day in days))


def as_date(number: int) -> date:
    """The date of a day since 1970."""
    return date(1970, 1, 1) + timedelta(days=number)
