"""Settings of the recommend, evaluate and report jobs."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, NonNegativeInt, PositiveInt, model_validator

from interest_graph.config.base import Section, known_or_plugin

BaselineName = Annotated[str, known_or_plugin("popularity", "item_knn", "als")]


class SplitConfig(Section):
    """One way to hold out interactions."""

    kind: Literal["random", "time", "given"] = "random"
    # random: share of each item's users; time: share of all events
    train_fraction: float = Field(default=0.75, gt=0, lt=1)
    seed: NonNegativeInt = 42  # random only
    train_source: str | None = None  # given only: source whose interactions are the train part
    test_source: str | None = None  # given only: source whose interactions are the test part

    @model_validator(mode="after")
    def _given_names_its_sources(self) -> SplitConfig:
        if self.kind == "given" and not (self.train_source and self.test_source):
            raise ValueError("a given split needs train_source and test_source")
        return self

    @property
    def name(self) -> str:
        """The kind with its parameters, for example "random 0.75 seed 42"."""
        if self.kind == "given":
            return f"given {self.train_source} {self.test_source}"
        seed = f" seed {self.seed}" if self.kind == "random" else ""
        return f"{self.kind} {self.train_fraction:g}{seed}"


def _distinct(splits: list[SplitConfig]) -> list[SplitConfig]:
    names = [split.name for split in splits]
    if len(set(names)) < len(names):
        raise ValueError("the same split is listed twice")
    return splits


class EvaluateConfig(Section):
    """The evaluation protocol: splits, list lengths and baselines."""

    splits: Annotated[list[SplitConfig], AfterValidator(_distinct)] = Field(
        default=[SplitConfig(kind="random"), SplitConfig(kind="time")], min_length=1
    )
    k: list[PositiveInt] = Field(default=[10, 20], min_length=1)  # list lengths
    users: PositiveInt = 10_000  # a split measures at most so many of its users, drawn by hash
    # also module:attribute of models of your own
    baselines: list[BaselineName] = ["popularity", "item_knn", "als"]


class ReportConfig(Section):
    """Settings of the HTML report."""

    path: str | None = None  # of the page; default: report.html in the folder of the tables
    user: str | None = None  # user_id whose graph and items are shown; default: the first by id
    item: str | None = None  # item_id whose graph is shown; default: that of the highest PageRank
    n_users: PositiveInt = 3  # users whose recommendations are listed


class RecommendConfig(Section):
    """Settings of the recommend job."""

    k: PositiveInt = 10  # items per user
