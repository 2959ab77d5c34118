"""Settings of the tune job."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from pydantic import (
    Field,
    FiniteFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    field_validator,
    model_validator,
)

from interest_graph.config.base import Section
from interest_graph.config.models import ModelName

# These decide how trials are compared, the random draws and the logging, not the model itself.
_FIXED = ("train.validation", "train.seed", "train.mlflow")


class Range(Section):
    """The values that one setting may take: numbers from low to high, or a list of choices."""

    kind: Literal["float", "int", "categorical"]
    low: FiniteFloat | None = None
    high: FiniteFloat | None = None
    log: bool = False  # draw uniformly on a logarithmic scale
    choices: list[Any] | None = Field(default=None, min_length=1)

    @model_validator(mode="after")
    def _has_what_its_kind_needs(self) -> Range:
        if self.kind == "categorical":
            if self.choices is None or self.low is not None or self.high is not None or self.log:
                raise ValueError("categorical takes choices and nothing else")
            return self
        if self.low is None or self.high is None or self.choices is not None:
            raise ValueError(f"{self.kind} takes low and high, and log if wanted")
        if self.low > self.high or (self.log and self.low <= 0):
            raise ValueError("low must not exceed high, and be above 0 for log")
        if self.kind == "int" and not (self.low.is_integer() and self.high.is_integer()):
            raise ValueError("low and high of int must be whole numbers")
        return self

    @property
    def extremes(self) -> list[Any]:
        """Values to check that a setting can take: low and high, or all choices."""
        if self.choices is not None:
            return self.choices
        number = int if self.kind == "int" else float
        return [number(end) for end in (self.low, self.high) if end is not None]


class TuneConfig(Section):
    """Search of train's settings for the best NDCG, at train.validation.k, on held-out pairs."""

    model: ModelName | None = None  # null: that of train
    n_trials: PositiveInt = 20  # of a study, over all runs that worked on it
    timeout_seconds: PositiveFloat | None = None  # no trial starts later; the next run resumes
    prune_after: NonNegativeInt | None = 3  # rounds before a trial below the median ends; null: off
    seed: NonNegativeInt = 42  # of the sampler
    space: dict[str, Range] = {}  # setting, e.g. train.learning_rate -> its values

    @field_validator("space")
    @classmethod
    def _names_settings_of_train(cls, space: dict[str, Range]) -> dict[str, Range]:
        for name in space:
            if not name.startswith("train."):
                raise ValueError(f"{name} is no setting of train; write train.<setting>")
            if any(name == fixed or name.startswith(f"{fixed}.") for fixed in _FIXED):
                raise ValueError(f"{name} cannot be tuned; neither can {', '.join(_FIXED)}")
        return space

    @property
    def overrides(self) -> dict[str, Any]:
        """Settings of train that all trials have in common: the model, if it is set."""
        return {} if self.model is None else {"train.model": self.model}

    def extremes(self) -> Iterator[tuple[str, Any]]:
        """(setting, value) for each extreme value in the space, to check that it is valid."""
        for name, values in self.space.items():
            for value in values.extremes:
                yield name, value
