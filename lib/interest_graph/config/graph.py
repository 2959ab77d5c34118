"""Settings of the build_graph stage."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt

from interest_graph.config.base import Section, known_or_plugin

EdgeKind = Literal[
    "user_item", "item_item", "item_text", "user_user", "user_interest", "item_interest", "social"
]


class ValueTransform(Section):
    """The factor that an event's value gives; it multiplies the action weight.

    linear: (value - offset) / scale; log: ln(1 + (value - offset) / scale); constant: 1.
    The factor is then clipped to `lower` and `upper`; an event with factor 0 does not count.
    """

    form: Literal["constant", "linear", "log"] = "constant"
    source: Literal["value", "dwell_seconds"] = "value"  # column of silver.interactions
    offset: float = 0.0  # unit of the value; a value of this much gives 0
    scale: PositiveFloat = 1.0  # unit of the value; 5 turns ratings of 1..5 into 0.2..1
    lower: NonNegativeFloat = 0.0
    upper: PositiveFloat | None = None
    missing: NonNegativeFloat = 1.0  # factor of an event without a value


class RarityConfig(Section):
    """Change of an edge's weight by the popularity of its item or the activity of its user."""

    kind: Literal["none", "inverse_item_frequency", "inverse_user_frequency", "bm25"] = "none"
    k1: PositiveFloat = 1.2  # bm25: weight at which repetition has half of its effect
    b: float = Field(default=0.75, ge=0, le=1)  # bm25: 1 normalises fully by the user's total


class PruneConfig(Section):
    """Further rules that drop user-item edges, applied one after another."""

    max_age_days: PositiveFloat | None = None  # edges whose last event is older are dropped
    # edges of a smaller share of the weight of the user's heaviest edge are dropped
    min_share: float = Field(default=0.0, ge=0, lt=1)
    # disparity filter: edges are kept that are significant for their user or their item
    max_p_value: float | None = Field(default=None, gt=0, le=1)
    extra: list[Annotated[str, known_or_plugin()]] = []  # rules of your own as module:attribute
    edges_per_item: PositiveInt | None = None  # heaviest edges kept per item
    min_core: NonNegativeInt = 0  # edges of vertices with a lower core number are dropped
    keep_connected: bool = False  # keep a maximum spanning forest, so that no component splits


class ProjectionConfig(Section):
    """How item-item edges are derived from user-item edges."""

    # items are similar that have the same users, or that occur in the same sessions
    baskets: Literal["users", "sessions"] = "users"
    measure: Literal["cosine", "jaccard", "pmi"] = "cosine"  # of user sets; pmi: positive part
    shrinkage: NonNegativeFloat = 0.0  # multiplies by n / (n + shrinkage), n = shared users
    max_items_per_user: PositiveInt = 1000  # only a user's heaviest edges form pairs: bounds n^2
    # blocks: sparse products in workers; join: a join in Spark, for any size; auto: by worker_mb
    engine: Literal["auto", "blocks", "join"] = "auto"


class TextConfig(Section):
    """Edges from item texts, which items without events can have too; needs silver.features."""

    neighbours_per_item: NonNegativeInt = 0  # nearest items by text; 0: none
    min_similarity: float = Field(default=0.4, gt=0, le=1)  # smallest cosine of a neighbour
    n_clusters: NonNegativeInt = 0  # clusters of texts that become interests; 0: none
    seed: NonNegativeInt = 42  # of k-means


class StructureConfig(Section):
    """Components, PageRank, core numbers and communities."""

    engine: Literal["auto", "graphframes", "kernel"] = "auto"  # kernel: in one worker
    edges: list[EdgeKind] = Field(default=["user_item", "social"], min_length=1)  # kinds to use
    damping: float = Field(default=0.85, gt=0, lt=1)  # PageRank: probability of following an edge
    rank_tolerance: PositiveFloat = 1e-6  # PageRank ends when ranks (sum 1) change less, in L1
    max_rank_rounds: PositiveInt = 100
    label_rounds: PositiveInt = 20  # largest number of rounds of label propagation
    seed: NonNegativeInt = 42  # of Leiden


class GraphConfig(Section):
    """Weights, projection, pruning and structure of the interest graph."""

    action_weights: dict[str, PositiveFloat] = {}  # action -> weight; others have weight 1
    values: dict[str, ValueTransform] = {}  # action -> factor of its value; others: constant
    half_life_days: PositiveFloat | None = 30.0  # an event this old counts half; null: no decay
    saturate_at: PositiveFloat | None = None  # upper bound c of weights: w -> c w / (c + w)
    confidence_alpha: PositiveFloat | None = None  # w -> 1 + alpha ln(1 + w)
    rarity: RarityConfig = RarityConfig()
    min_weight: NonNegativeFloat = 0.0  # lighter user-item edges are pruned
    edges_per_user: PositiveInt = 500  # heaviest user-item edges kept per user
    neighbours_per_item: PositiveInt = 50  # most similar items kept per item
    neighbours_per_user: NonNegativeInt = 0  # most similar users kept per user; 0: none
    interests_per_user: PositiveInt = 20  # heaviest user-interest edges kept per user
    prune: PruneConfig = PruneConfig()
    projection: ProjectionConfig = ProjectionConfig()
    text: TextConfig = TextConfig()
    structure: StructureConfig = StructureConfig()
    # the cost of pruning is measured as recall of the last items of so many users; 0: not measured
    recall_users: NonNegativeInt = 500
    recall_k: PositiveInt = 20  # list length of that recall
    worker_mb: PositiveInt = 512  # memory of one worker; larger graphs use distributed algorithms


GraphVersion = Annotated[str, Field(pattern=r"^[0-9a-f]{12}$")]


class DiffConfig(Section):
    """Settings of the diff job, which compares two versions of the graph."""

    old: GraphVersion | None = None  # default: the version built before `new`
    new: GraphVersion | None = None  # default: the newest version
    tolerance: NonNegativeFloat = 0.01  # relative changes of a weight up to this are ignored
    communities: Literal["community", "modularity_community"] = "modularity_community"
