"""Settings of the build_graph stage."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt

from interest_graph.config.base import Section

EdgeKind = Literal["user_item", "item_item", "user_interest", "item_interest", "social"]


class ValueTransform(Section):
    """What an event's value says: the factor that multiplies its action weight.

    linear: (value - offset) / scale; log: ln(1 + (value - offset) / scale); constant: 1.
    Then clipped to `lower` and `upper`; an event whose factor is 0 says nothing.
    """

    form: Literal["constant", "linear", "log"] = "constant"
    source: Literal["value", "dwell_seconds"] = "value"  # column of silver.interactions
    offset: float = 0.0  # unit of the value; this much says nothing
    scale: PositiveFloat = 1.0  # unit of the value; 5 turns ratings of 1..5 into 0.2..1
    lower: NonNegativeFloat = 0.0
    upper: PositiveFloat | None = None
    missing: NonNegativeFloat = 1.0  # factor of an event without a value


class ProjectionConfig(Section):
    """How items become neighbours of items through the users that they share."""

    measure: Literal["cosine", "jaccard", "pmi"] = "cosine"  # of user sets; pmi: positive part
    shrinkage: NonNegativeFloat = 0.0  # multiplies by n / (n + shrinkage), n = users shared
    max_items_per_user: PositiveInt = 1000  # heaviest edges of a user that make pairs: bounds n^2
    engine: Literal["auto", "blocks", "join"] = "auto"  # blocks: sparse products in workers


class StructureConfig(Section):
    """Components, ranks, cores and communities."""

    engine: Literal["auto", "graphframes", "kernel"] = "auto"  # kernel: one worker
    edges: list[EdgeKind] = Field(default=["user_item", "social"], min_length=1)
    damping: float = Field(default=0.85, gt=0, lt=1)  # PageRank: probability of following an edge
    rank_tolerance: PositiveFloat = (
        1e-6  # PageRank ends when ranks, which sum to 1, move less in all
    )
    max_rank_rounds: PositiveInt = 100
    label_rounds: PositiveInt = 20  # label propagation ends at the latest after these


class GraphConfig(Section):
    """Weights, projection, pruning and structure of the interest graph."""

    action_weights: dict[str, PositiveFloat] = {}  # an action that is not listed weighs 1
    values: dict[str, ValueTransform] = {}  # by action; an action that is not listed: constant
    half_life_days: PositiveFloat | None = 30.0  # an event this old counts half; null: no decay
    min_weight: NonNegativeFloat = 0.0  # lighter user-item edges are pruned
    edges_per_user: PositiveInt = 500  # heaviest user-item edges kept per user
    neighbours_per_item: PositiveInt = 50  # most similar items kept per item
    interests_per_user: PositiveInt = 20  # heaviest user-interest edges kept per user
    projection: ProjectionConfig = ProjectionConfig()
    structure: StructureConfig = StructureConfig()
    worker_megabytes: PositiveInt = (
        512  # what a kernel in one worker may hold; above it, Spark's way
    )
