"""Settings of the models that the train stage can fit.

Where a field is a list, its values are tried on the validation pairs and the best one is kept;
without validation pairs the first value is used.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt

from interest_graph.config.base import Section, known_or_plugin

SINGLE_MODELS = (
    "popularity",
    "item_knn",
    "als",
    "ease",
    "local_ease",
    "graph_filter",
    "spectral",
    "lightgcn",
)
# A model's name, or the module:attribute of a user's own; a blend is no source of a blend.
SourceName = Annotated[str, known_or_plugin(*SINGLE_MODELS)]
ModelName = Annotated[str, known_or_plugin(*SINGLE_MODELS, "blend")]


class ItemKnnConfig(Section):
    """Cosine neighbours of items."""

    neighbours: Annotated[list[PositiveInt], Field(min_length=1)] = [200, 50]  # kept per item
    shrinkage: NonNegativeFloat = 10.0  # added to the norms' product: damps rarely seen pairs


class AlsConfig(Section):
    """Spark MLlib's alternating least squares on implicit feedback."""

    rank: Annotated[list[PositiveInt], Field(min_length=1)] = [64]
    alpha: Annotated[list[PositiveFloat], Field(min_length=1)] = [
        5.0
    ]  # confidence 1 + alpha * weight
    regularization: Annotated[list[PositiveFloat], Field(min_length=1)] = [0.5]
    iterations: PositiveInt = 10
    blocks: PositiveInt = 4  # parts of the users and of the items


class EaseConfig(Section):
    """Closed-form linear item autoencoder."""

    l2: Annotated[list[PositiveFloat], Field(min_length=1)] = [50.0, 25.0, 100.0]
    item_exponent: NonNegativeFloat = 0.5  # L2 strength of an item: l2 * n_users ** item_exponent
    weights_per_item: PositiveInt = 800  # those of most effect, for each scored item


class LocalEaseConfig(Section):
    """EASE on each item's nearest neighbours, for catalogues of any size."""

    neighbours: PositiveInt = 100  # items in each regression
    user_exponent: NonNegativeFloat = 0.5  # a user counts with degree ** -user_exponent
    l2: Annotated[list[PositiveFloat], Field(min_length=1)] = [5.0]
    item_exponent: NonNegativeFloat = 0.5  # L2 strength of an item: l2 * n_users ** item_exponent


class GraphFilterConfig(Section):
    """Closed-form low-pass filter on the item-item graph; exponents are of degrees."""

    user_exponent: Annotated[list[NonNegativeFloat], Field(min_length=1)] = [0.7]
    src_exponent: Annotated[list[NonNegativeFloat], Field(min_length=1)] = [0.6]
    dst_exponent: Annotated[list[NonNegativeFloat], Field(min_length=1)] = [0.3]
    # time for which smoothed scores are sharpened again; 2.5 with exponents 1, 0.5, 0.5: BSPM
    sharpening: Annotated[list[NonNegativeFloat], Field(min_length=1)] = [0.0]
    weights_per_item: PositiveInt = 200  # largest, kept for each item of a history


class BlendConfig(Section):
    """Models whose scores are summed; weights are learnt on validation pairs."""

    sources: Annotated[list[SourceName], Field(min_length=1)] = [
        "ease",
        "local_ease",
        "graph_filter",
        "als",
    ]
    # of sources by name, instead of `sources` with weights learnt on validation pairs
    weights: dict[SourceName, PositiveFloat] | None = Field(default=None, min_length=1)


class ValidationConfig(Section):
    """How settings and blend weights are compared on the validation pairs."""

    fraction: Annotated[float, Field(gt=0, lt=1)] = 0.05  # of the edges, held out by train
    k: PositiveInt = 20  # NDCG at this list length decides
    users: PositiveInt = 5000  # at most so many users are looked at
