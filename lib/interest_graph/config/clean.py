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
    ValidationInfo,
    field_validator,
    model_validator,
)

from interest_graph.config.base import Section
from interest_graph.config.rule_sql import check_predicate

Bounds = Annotated[list[float], Field(min_length=2, max_length=2)]


class RuleConfig(Section):
    """A validation rule for records, as a SQL predicate over the typed columns.

    Columns: source, event_id, user_id, item_id, action, event_ts (UTC), value, user_agent, payload
    (the text of a JSON object). A record breaks the rule if the predicate is false, and not if it
    is null.
    """

    reason: str = Field(pattern=r"^[a-z][a-z0-9_]*$")  # the code in silver.quarantine
    column: str  # the column that the rule checks, for information
    engine: Literal["duckdb", "spark"] = (
        "duckdb"  # whose SQL it is; Spark's needs a pass of its own
    )
    must: str  # SQL predicate, e.g. "value BETWEEN 1 AND 5"
    severity: Literal["refuse", "warn"] = "refuse"  # warn: counted only

    @field_validator("must")
    @classmethod
    def _can_be_run(cls, must: str, info: ValidationInfo) -> str:
        problem = check_predicate(must) if info.data.get("engine") == "duckdb" else None
        if problem is not None:
            raise ValueError(problem)
        return must


class CapRule(Section):
    """How `fit_caps` finds the cap of an action's values: exactly one of the two settings."""

    quantile: float | None = Field(default=None, gt=0, lt=1)  # this quantile of the values
    fence: PositiveFloat | None = None  # upper quartile + so many interquartile ranges (Tukey)

    @model_validator(mode="after")
    def _is_one_rule(self) -> CapRule:
        if (self.quantile is None) == (self.fence is None):
            raise ValueError("give either quantile or fence")
        return self


class BotConfig(Section):
    """Limits of a person's activity in a day; a user's day beyond one is dropped. null: off."""

    events_per_minute: PositiveInt | None = 120  # more events than this within any 60 seconds
    events_per_day: PositiveInt | None = 5000  # more events than this in a day
    items_per_day: PositiveInt | None = 2000  # more distinct items than this in a day
    active_hours: PositiveInt | None = 22  # active in more than this many of the day's 24 hours
    steady_gap_events: PositiveInt | None = 50  # on a day of at least so many events ...
    steady_gap_variation: NonNegativeFloat = 0.05  # ... gaps of deviation / mean at most this
    crawler_agents: bool = True  # drop records whose user agent is that of a known crawler


class SameItemsConfig(Section):
    """How similar the titles of two items must be to be merged as one item (MinHash)."""

    jaccard: float = Field(default=0.75, gt=0, le=1)  # of the titles' character shingles
    shingle: PositiveInt = 4  # characters
    bands: PositiveInt = 20  # 20 bands of 4 rows find pairs of similarity 0.75 with p = 0.9995
    rows: PositiveInt = 4
    largest_band: PositiveInt = 1000  # bands of more items are ignored: they are common phrases


class CleanConfig(Section):
    """Rules by which received records become interactions."""

    oldest: date = date(1990, 1, 1)  # records of an earlier day are refused
    clock_skew_minutes: NonNegativeInt = 10  # records more than this after as_of are refused
    value_bounds: dict[str, Bounds] = {}  # action -> [lowest, highest]; values outside are refused
    value_caps: dict[str, float] = {}  # action -> largest value; larger ones are set to it
    fitted_caps: dict[str, CapRule] = {}  # the same, with caps fitted to the values by `fit_caps`
    rules: list[RuleConfig] = []  # additional validation rules
    # the same action on the same item within this time is a retry and dropped; 0: off
    retry_seconds: int = Field(default=0, ge=0, le=3600)
    bots: BotConfig | None = None  # null: no bot rules
    same_items: SameItemsConfig | None = None  # null: no search for items listed twice
    session_gap_minutes: PositiveInt = 30  # inactivity that ends a session
    session_ends_at_midnight: bool = True  # UTC; false: a session may pass one midnight
    max_dwell_seconds: PositiveFloat = 1800.0  # longer dwell times are set to this
    min_user_events: NonNegativeInt = 1  # users with fewer events are dropped (0 or 1: off)
    min_item_events: NonNegativeInt = 1  # items with fewer events are dropped (0 or 1: off)

    @model_validator(mode="after")
    def _has_one_cap_an_action(self) -> CleanConfig:
        twice = sorted(self.value_caps.keys() & self.fitted_caps.keys())
        if twice:
            raise ValueError(f"fitted_caps and value_caps both name {', '.join(twice)}")
        return self
