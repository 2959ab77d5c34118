"""Which days a cleaning run has to rewrite, and which earlier batches it has to read for that.

The rows of silver.interactions of a day depend on the bronze records of that day and of a few days
around it. So new records make a run rewrite only those days, and the table is the same however the
records were divided into batches.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from interest_graph.config import CleanConfig, SourceConfig
from interest_graph.identity import digest


@dataclass(frozen=True)
class Reach:
    """Ranges of days, as (first, last) offsets.

    written: days to rewrite around a day with new records; read: days to read around a day to
    rewrite.
    """

    written: tuple[int, int]
    read: tuple[int, int]


def reach_of(config: CleanConfig) -> Reach:
    """The ranges that these settings need.

    A retry may follow an event of the day before. A session that may pass midnight links a day to
    the day before and the day after.
    """
    if not config.session_ends_at_midnight:
        return Reach(written=(-1, 2), read=(-2, 1))
    return Reach((0, 1), (-1, 0)) if config.retry_seconds else Reach((0, 0), (0, 0))


def widen(days: Iterable[date], reach: tuple[int, int]) -> set[date]:
    """Widen a set of days: every day with all days at offsets reach[0] to reach[1] from it."""
    return {day + timedelta(days=n) for day in days for n in range(reach[0], reach[1] + 1)}


def batches_with(days: Collection[date], known: Mapping[str, Sequence[date]]) -> list[str]:
    """The batches, sorted, that have a record on one of the days; known: batch -> its days."""
    return sorted(batch for batch, held in known.items() if not set(days).isdisjoint(held))


def settings_digest(config: CleanConfig, sources: Sequence[SourceConfig]) -> str:
    """Digest of the settings that shape cleaning; all records are cleaned anew when it changes."""
    keys = ("name", "action", "actions", "time")
    shaping = [source.model_dump(mode="json", include=set(keys)) for source in sources]
    tree = {
        "clean": config.model_dump(mode="json"),
        "sources": sorted(shaping, key=lambda s: s["name"]),
    }
    return digest(tree, 16)


def needs_all(config: CleanConfig) -> bool:
    """Whether each run must read all batches: minimum support counts events over all days."""
    return config.min_user_events > 1 or config.min_item_events > 1
