"""Settings of the clean stage."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from pydantic import (
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    model_validator,
)

from interest_graph.config.base import Section

Bounds = Annotated[list[float], Field(min_length=2, max_length=2)]


class RuleConfig(Section):
    """A promise about records, as a SQL predicate over the typed columns.

    Columns: source, event_id, user_id, item_id, action, event_ts, value, user_agent, payload.
    A record for which the predicate is false breaks the rule; one for which it is null does not.
    """

    reason: str = Field(pattern=r"^[a-z][a-z0-9_]*$")  # the code that quarantine shows
    column: str  # what the rule is about, for people
    must: str  # SQL predicate, e.g. "value BETWEEN 1 AND 5"
    severity: Literal["refuse", "warn"] = "refuse"  # warn: counted only


class CapRule(Section):
    """How `fit_caps` finds the largest value of an action; one of the two."""

    quantile: float | None = Field(default=None, gt=0, lt=1)  # a share of the values is no larger
    fence: PositiveFloat | None = None  # upper quartile + so many interquartile ranges (Tukey)

    @model_validator(mode="after")
    def _is_one_rule(self) -> CapRule:
        if (self.quantile is None) == (self.fence is None):
            raise ValueError("give either quantile or fence")
        return self


class BotConfig(Section):
    """What no person does in a day; a user's day that breaks a rule is dropped. null: rule off."""

    events_per_minute: PositiveInt | None = 120  # more events than this within any 60 seconds
    events_per_day: PositiveInt | None = 5000  # more events than this in a day
    items_per_day: PositiveInt | None = 2000  # more distinct items than this in a day
    active_hours: PositiveInt | None = 22  # active in more than this many of the day's 24 hours
    steady_gap_events: PositiveInt | None = 50  # in a day of at least so many events ...
    steady_gap_variation: NonNegativeFloat = 0.05  # ... gaps vary by less (deviation / mean)
    crawler_agents: bool = True  # records whose user agent is a known crawler's


class SameItemsConfig(Section):
    """How alike the titles of two items are that are one thing."""

    jaccard: float = Field(default=0.75, gt=0, le=1)  # of the titles' character shingles
    shingle: PositiveInt = 4  # characters
    bands: PositiveInt = 20  # 20 bands of 4 rows find 0.75 alike with probability 0.9995
    rows: PositiveInt = 4
    largest_band: PositiveInt = 1000  # items; larger ones stand for common phrases


class CleanConfig(Section):
    """Rules that turn received records into facts."""

    oldest: date = date(1990, 1, 1)  # records of an earlier day are refused
    clock_skew_minutes: NonNegativeInt = 10  # records later than as_of by more are refused
    value_bounds: dict[str, Bounds] = {}  # action -> [lowest, highest]; values outside are refused
    value_caps: dict[str, float] = {}  # action -> largest value; larger ones are set to it
    fitted_caps: dict[str, CapRule] = {}  # the same, found by `fit_caps` from the values
    rules: list[RuleConfig] = []  # more promises, declared by the pipeline
    retry_seconds: int = Field(
        default=0, ge=0, le=3600
    )  # a repeat so soon after is dropped; 0: off
    bots: BotConfig | None = None  # null: no bot rules
    same_items: SameItemsConfig | None = None  # null: no search for items listed twice
    session_gap_minutes: PositiveInt = 30  # inactivity that ends a session
    session_ends_at_midnight: bool = True  # UTC; false: a session may pass one midnight
    max_dwell_seconds: PositiveFloat = 1800.0  # a longer dwell is set to this
    min_user_events: NonNegativeInt = 1  # users with fewer events are dropped (0 or 1: off)
    min_item_events: NonNegativeInt = 1  # items with fewer events are dropped (0 or 1: off)

    @model_validator(mode="after")
    def _has_one_cap_an_action(self) -> CleanConfig:
        twice = sorted(self.value_caps.keys() & self.fitted_caps.keys())
        if twice:
            raise ValueError(f"fitted_caps and value_caps both name {', '.join(twice)}")
        return self
