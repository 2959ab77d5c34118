"""Which days a cleaning run has to write, and which earlier batches it has to read again for that.

silver.interactions of a day is a function of the bronze records of that day and of a few days
around it. New records therefore call for those days alone, and any cut of the same records into
batches ends in the same table.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from interest_graph.config import CleanConfig, SourceConfig
from interest_graph.identity import digest


@dataclass(frozen=True)
class Reach:
    """How far records act in days: days `written` around a new record, days `read` around those."""

    written: tuple[int, int]
    read: tuple[int, int]


def reach_of(config: CleanConfig) -> Reach:
    """A retry looks back past midnight; an unbroken session looks one day to either side."""
    if not config.session_ends_at_midnight:
        return Reach(written=(-1, 2), read=(-2, 1))
    return Reach((0, 1), (-1, 0)) if config.retry_seconds else Reach((0, 0), (0, 0))


def spread(days: Iterable[date], reach: tuple[int, int]) -> set[date]:
    """The days and those up to `reach` before and after them."""
    return {day + timedelta(days=n) for day in days for n in range(reach[0], reach[1] + 1)}


def batches_with(days: Collection[date], known: Mapping[str, Sequence[date]]) -> list[str]:
    """Cleaned batches that hold a record of one of the days."""
    return sorted(batch for batch, held in known.items() if not set(days).isdisjoint(held))


def settings_digest(config: CleanConfig, sources: Sequence[SourceConfig]) -> str:
    """Digest of all settings that shape a verdict: when it changes, all is cleaned again."""
    keys = ("name", "action", "actions", "time")
    shaping = [source.model_dump(mode="json", include=set(keys)) for source in sources]
    tree = {
        "clean": config.model_dump(mode="json"),
        "sources": sorted(shaping, key=lambda s: s["name"]),
    }
    return digest(tree, 16)


def needs_all(config: CleanConfig) -> bool:
    """Minimum support counts a user's events of all days, so every batch matters to every day."""
    return config.min_user_events > 1 or config.min_item_events > 1
