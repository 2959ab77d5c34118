"""Local times of a zone to UTC, for arrays; `zoneinfo` alone knows the rules of the zones.

A region's offsets from UTC, as functions of the local time, are constant between a few moments a
year; these are found once for each year that occurs.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

Seconds = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Zone = int | ZoneInfo

_START = datetime(1970, 1, 1)
_SECOND = timedelta(seconds=1)
_DAY = timedelta(days=1)
Offsets = tuple[int, int]  # seconds east of UTC before and after a change; between changes equal


def to_utc(local: Seconds, zone: Zone) -> tuple[Seconds, Flags]:
    """Seconds since 1970 in UTC of local times, and whether these exist: int64[n], bool[n].

    zone: seconds east of UTC, or a region. Of a local time that occurs twice the earlier instant is
    returned; one that is skipped does not exist.
    """
    if isinstance(zone, int):
        return local - zone, np.ones(len(local), bool)
    years = np.unique(local.astype("datetime64[s]").astype("datetime64[Y]")).astype(int) + 1970
    spans = [span for year in years if 1 <= year <= 9999 for span in _offsets(zone, int(year))]
    if not spans:
        return local, np.zeros(len(local), bool)
    starts, earlier, later = np.array(spans, np.int64).T
    span = np.searchsorted(starts, local, side="right") - 1
    # A clock that is put forward skips the local times between the two offsets.
    return local - earlier[span], (earlier >= later)[span]


@lru_cache(maxsize=4096)
def _offsets(zone: ZoneInfo, year: int) -> list[tuple[int, int, int]]:
    """(local second, offset before, offset after) wherever the offsets change, and at New Year."""
    moment, end = datetime(year, 1, 1), datetime(year, 12, 31, 23, 59, 59)
    found = [(_seconds(moment), *_offsets_at(zone, moment))]
    while moment < end:
        # Days that begin and end with the same offsets hold no change.
        until = min(moment + _DAY, end) if moment < end - _DAY else end
        while found[-1][1:] != _offsets_at(zone, until):
            moment = _first_change(zone, moment, until)
            found.append((_seconds(moment), *_offsets_at(zone, moment)))
        moment = until
    return found


def _first_change(zone: ZoneInfo, moment: datetime, until: datetime) -> datetime:
    """The first second after `moment` with other offsets; those at `until` are others."""
    offsets = _offsets_at(zone, moment)
    while until - moment > _SECOND:
        middle = moment + (until - moment) // (2 * _SECOND) * _SECOND
        if _offsets_at(zone, middle) == offsets:
            moment = middle
        else:
            until = middle
    return until


def _offsets_at(zone: ZoneInfo, local: datetime) -> Offsets:
    """The offsets for the first and the second occurrence (PEP 495)."""
    offsets = zone.utcoffset(local), zone.utcoffset(local.replace(fold=1))
    first, second = (0 if offset is None else offset // _SECOND for offset in offsets)
    return first, second


def _seconds(local: datetime) -> int:
    return (local - _START) // _SECOND
