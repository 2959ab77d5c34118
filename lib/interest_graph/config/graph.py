"""Settings of the build_graph stage."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt

from interest_graph.config.base import Section, known_or_plugin

EdgeKind = Literal[
    "user_item", "item_item", "item_text", "user_user", "user_interest", "item_interest", "social"
]


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


class RarityConfig(Section):
    """How the weight of an edge depends on how common its ends are."""

    kind: Literal["none", "inverse_item_frequency", "inverse_user_frequency", "bm25"] = "none"
    k1: PositiveFloat = 1.2  # bm25: weight at which repetition has half of its effect
    b: float = Field(default=0.75, ge=0, le=1)  # bm25: how much a user's total weight counts


class PruneConfig(Section):
    """Further rules that drop user-item edges, each applied to what the last one left."""

    max_age_days: PositiveFloat | None = None  # edges whose last event is older go
    min_share: float = Field(default=0.0, ge=0, lt=1)  # of the weight of the user's heaviest edge
    max_p_value: float | None = Field(default=None, gt=0, le=1)  # disparity filter, of either end
    extra: list[Annotated[str, known_or_plugin()]] = []  # rules of your own as module:attribute
    edges_per_item: PositiveInt | None = None  # heaviest edges kept per item
    min_core: NonNegativeInt = 0  # vertices below this core number go with their edges
    keep_connected: bool = False  # give back the heaviest edges that components need


class ProjectionConfig(Section):
    """How items become neighbours of items through the users that they share."""

    baskets: Literal["users", "sessions"] = "users"  # items belong together in a history or session
    measure: Literal["cosine", "jaccard", "pmi"] = "cosine"  # of user sets; pmi: positive part
    shrinkage: NonNegativeFloat = 0.0  # multiplies by n / (n + shrinkage), n = users shared
    max_items_per_user: PositiveInt = 1000  # heaviest edges of a user that make pairs: bounds n^2
    engine: Literal["auto", "blocks", "join"] = "auto"  # blocks: sparse products in workers


class TextConfig(Section):
    """Edges from item texts, so that an item without events has a place; needs silver.features."""

    neighbours_per_item: NonNegativeInt = 0  # nearest items by text; 0: none
    min_similarity: float = Field(default=0.4, gt=0, le=1)  # cosine that a neighbour needs
    n_clusters: NonNegativeInt = 0  # interests that are clusters of texts; 0: none
    seed: NonNegativeInt = 42  # of the clusters' start


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
    seed: NonNegativeInt = 42  # of Leiden's random order


class GraphConfig(Section):
    """Weights, projection, pruning and structure of the interest graph."""

    action_weights: dict[str, PositiveFloat] = {}  # an action that is not listed weighs 1
    values: dict[str, ValueTransform] = {}  # by action; an action that is not listed: constant
    half_life_days: PositiveFloat | None = 30.0  # an event this old counts half; null: no decay
    saturate_at: PositiveFloat | None = None  # weight that no pair can exceed; w -> c w / (c + w)
    confidence_alpha: PositiveFloat | None = None  # w -> 1 + alpha ln(1 + w)
    rarity: RarityConfig = RarityConfig()
    min_weight: NonNegativeFloat = 0.0  # lighter user-item edges are pruned
    edges_per_user: PositiveInt = 500  # heaviest user-item edges kept per user
    neighbours_per_item: PositiveInt = 50  # most similar items kept per item
    neighbours_per_user: NonNegativeInt = 0  # users of most similar taste kept per user; 0: none
    interests_per_user: PositiveInt = 20  # heaviest user-interest edges kept per user
    prune: PruneConfig = PruneConfig()
    projection: ProjectionConfig = ProjectionConfig()
    text: TextConfig = TextConfig()
    structure: StructureConfig = StructureConfig()
    recall_users: NonNegativeInt = 500  # whose last item is held out to price pruning; 0: no one
    recall_k: PositiveInt = 20
    worker_mb: PositiveInt = 512  # what a kernel in one worker may hold; above it, Spark's way


GraphVersion = Annotated[str, Field(pattern=r"^[0-9a-f]{12}$")]


class DiffConfig(Section):
    """Which two versions of the graph the diff job compares."""

    old: GraphVersion | None = None  # default: the version built before `new`
    new: GraphVersion | None = None  # default: the version built last
    tolerance: NonNegativeFloat = 0.01  # relative change of a weight that is none
    communities: Literal["community", "modularity_community"] = "modularity_community"
