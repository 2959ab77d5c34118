"""Settings of the clean stage."""

from __future__ import annotations

from pydantic import NonNegativeInt, PositiveInt

from interest_graph.config.base import Section


class CleanConfig(Section):
    """Rules that turn received records into facts."""

    session_gap_minutes: PositiveInt = 30  # inactivity that ends a session
    min_user_events: NonNegativeInt = 1  # users with fewer events are dropped
    min_item_events: NonNegativeInt = 1  # items with fewer events are dropped
