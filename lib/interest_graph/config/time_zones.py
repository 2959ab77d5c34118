"""Names of time zones and offsets from UTC, as settings and the texts of times write them."""

from __future__ import annotations

import re
from functools import lru_cache
from zoneinfo import ZoneInfo

# Abbreviations with one meaning (RFC 822 and the larger markets). Others, such as IST or BST, have
# several: a time that is written with one is refused.
_ABBREVIATIONS = {
    **dict.fromkeys(("Z", "UT", "UTC", "GMT", "WET"), 0),
    **dict.fromkeys(("WEST", "CET"), 1),
    **dict.fromkeys(("CEST", "EET"), 2),
    **dict.fromkeys(("EEST", "MSK"), 3),
    **dict.fromkeys(("JST", "KST"), 9),
    **{f"{letter}DT": hours for letter, hours in zip("ECMP", (-4, -5, -6, -7), strict=True)},
    **{f"{letter}ST": hours for letter, hours in zip("ECMP", (-5, -6, -7, -8), strict=True)},
}
_OFFSET = re.compile(
    r"(?:UTC|GMT|UT)?([+-])(?:(\d{1,2})(?::(\d{2})(?::(\d{2}))?)?|(\d{2})(\d{2})(\d{2})?)",
    re.IGNORECASE | re.ASCII,
)
_REGION = re.compile(r"[A-Z][A-Za-z0-9_+-]*(?:/[A-Za-z0-9_+-]+)*", re.ASCII)
_LARGEST = 18 * 3600  # seconds, as in Java


@lru_cache(maxsize=1024)
def written_zone(text: str) -> int | ZoneInfo | None:
    """The zone that a time is written with: seconds east of UTC or a region; None if it is neither.

    Takes Z, +02, +0200, +2:00, +02:00:00, UTC+01:00, Europe/Berlin, [Europe/Berlin] and common
    abbreviations. What follows an offset does not count: +01:00[Europe/Berlin], +0100 CET.
    """
    first, *_ = re.split(r"[ \[\]]+", text.strip(" []"), maxsplit=1)
    hours = _ABBREVIATIONS.get(first.upper())
    if hours is not None:
        return hours * 3600
    return _fixed_offset(first) if _OFFSET.fullmatch(first) else _region(first)


@lru_cache(maxsize=1024)
def configured_zone(name: str) -> int | ZoneInfo | None:
    """The zone of a setting: as in texts, but CET is the region with its summer time."""
    region = None if name.upper() in ("UTC", "GMT", "Z") else _region(name)
    return region if region is not None else written_zone(name)


def _fixed_offset(text: str) -> int | None:
    match = _OFFSET.fullmatch(text)
    if match is None:
        return None
    hours, minutes, seconds = (int(match[n] or match[n + 3] or 0) for n in (2, 3, 4))
    total = hours * 3600 + minutes * 60 + seconds
    if minutes > 59 or seconds > 59 or total > _LARGEST:
        return None
    return -total if match[1] == "-" else total


def _region(name: str) -> ZoneInfo | None:
    # Only names with a capital: "localtime", "right/..." and "posixrules" are no regions.
    if not _REGION.fullmatch(name):
        return None
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, KeyError):  # a folder; no file of a zone; ZoneInfoNotFoundError
        return None
