"""Texts of times to microseconds since 1970 in UTC, for all formats of the settings.

One expression (`time_regex`) decides what a text holds. A zone or offset that it matched counts;
without one the time is local to `time.zone`. A local time that summer time skips does not exist
and gives null; of one that occurs twice in autumn the earlier instant is meant. 24:00:00 is the
midnight that ends the day; second 60 gives null. Fractions are cut to microseconds; numbers since
1970 are rounded to them, half to even.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa

from interest_graph.config import TimeFormat
from interest_graph.config.time_patterns import EPOCHS, time_regex
from interest_graph.config.time_zones import configured_zone
from interest_graph.events.calendar_times import utc_micros
from interest_graph.events.numbers import parse_scaled
from interest_graph.events.shapes import shape_groups

_ROWS_AT_ONCE = 1 << 16  # the bytes of so many times stay in the processor's cache
_LONGEST = 160  # bytes; no text of a time is longer
_EPOCH_START = datetime(1970, 1, 1, tzinfo=UTC)
_END = 253_402_300_800_000_000  # start of the year 10000, where Spark's timestamps end
_START = -62_135_596_800_000_000  # start of the year 1


def parse_times(texts: pa.Array | pa.ChunkedArray, time: TimeFormat) -> pa.Array:
    """Microseconds since 1970 in UTC: int64[n], null where a text does not have the format."""
    if time.constant is not None:
        micros = (time.constant - _EPOCH_START) // timedelta(microseconds=1)
        return pa.array(np.full(len(texts), micros, np.int64))
    chunks = texts.chunks if isinstance(texts, pa.ChunkedArray) else [texts]
    pieces = [
        _parse(chunk.slice(start, _ROWS_AT_ONCE), time)
        for chunk in chunks
        for start in range(0, len(chunk), _ROWS_AT_ONCE)
    ]
    return pa.concat_arrays(pieces) if pieces else pa.array([], pa.int64())


def _parse(texts: pa.Array, time: TimeFormat) -> pa.Array:
    if time.format in EPOCHS:
        return parse_scaled(texts, power=6 - EPOCHS[time.format], low=_START, high=_END)
    return _parse_calendar(texts, time)


def _parse_calendar(texts: pa.Array, time: TimeFormat) -> pa.Array:
    regex, zone = time_regex(time.format), configured_zone(time.zone)
    micros, is_time = np.zeros(len(texts), np.int64), np.zeros(len(texts), bool)
    for group in shape_groups(texts, _LONGEST):
        match = regex.fullmatch(group.shape)
        if match is not None:
            micros[group.rows], is_time[group.rows] = utc_micros(group, match, zone)
    is_time &= (micros >= _START) & (micros < _END)
    return pa.array(micros, mask=~is_time)
