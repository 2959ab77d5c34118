"""Settings of the evaluate stage."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, NonNegativeInt, PositiveInt

from interest_graph.config.base import Section


class SplitConfig(Section):
    """One way to hold out interactions."""

    kind: Literal["random", "time", "given"] = "random"
    train_fraction: float = Field(
        default=0.75, gt=0, lt=1
    )  # random: of each item; time: of all events
    seed: NonNegativeInt = 42
    train_source: str | None = None  # given: source names whose interactions are the train ...
    test_source: str | None = None  # ... and the test part


class EvaluateConfig(Section):
    """The protocol: which splits, list lengths and baselines."""

    splits: list[SplitConfig] = [SplitConfig(kind="random"), SplitConfig(kind="time")]
    k: list[PositiveInt] = [10, 20]
    baselines: list[Literal["popularity", "item_knn", "als"]] = ["popularity", "item_knn", "als"]
