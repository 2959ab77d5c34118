"""Settings of the generate job."""

from __future__ import annotations

from datetime import date

from pydantic import Field, NonNegativeInt, PositiveInt

from interest_graph.config.base import Section


class GenerateConfig(Section):
    """A made-up log with known truth. Fractions are of the number of people's events."""

    path: str = "data/generated"  # log files go to <path>/events, items to <path>/items
    events: PositiveInt = 100_000  # people's events, about
    users: PositiveInt = 2_000
    items: PositiveInt = 5_000
    communities: PositiveInt = 20  # planted groups of users and items that belong together
    first_day: date = date(2024, 1, 1)
    days: PositiveInt = 30
    seed: NonNegativeInt = 42
    duplicate_id_fraction: float = Field(default=0.01, ge=0, le=1)  # the same record once more
    duplicate_event_fraction: float = Field(default=0.01, ge=0, le=1)  # under another event id
    retry_fraction: float = Field(default=0.01, ge=0, le=1)  # sent again after seconds, in chains
    malformed_fraction: float = Field(default=0.01, ge=0, le=1)
    late_fraction: float = Field(default=0.02, ge=0, le=1)  # delivered up to three days late
    bots_per_rule: NonNegativeInt = 4  # users that break one bot rule each
    near_duplicate_fraction: float = Field(default=0.02, ge=0, le=1)  # items listed twice
