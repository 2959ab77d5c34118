"""Settings of the models that the train stage can fit.

The values of a list are candidates: the one with the best NDCG on the validation pairs is used;
without validation pairs the first.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt

from interest_graph.config.base import Section, known_or_plugin

SINGLE_MODELS = (
    "popularity",
    "item_knn",
    "als",
    "implicit_als",
    "ease",
    "local_ease",
    "graph_filter",
    "chebyshev",
    "spectral",
    "lightgcn",
)
# A model's name, or the module:attribute of a user's own; a blend is no source of a blend.
SourceName = Annotated[str, known_or_plugin(*SINGLE_MODELS)]
ModelName = Annotated[str, known_or_plugin(*SINGLE_MODELS, "blend", "auto")]


class ItemKnnConfig(Section):
    """Nearest neighbours of items by cosine similarity."""

    neighbours: Annotated[list[PositiveInt], Field(min_length=1)] = [200, 50]  # kept per item
    shrinkage: NonNegativeFloat = 10.0  # added to the product of the norms: weakens rare pairs


class AlsConfig(Section):
    """Spark MLlib's alternating least squares on implicit feedback."""

    rank: Annotated[list[PositiveInt], Field(min_length=1)] = [64]
    alpha: Annotated[list[PositiveFloat], Field(min_length=1)] = [
        5.0
    ]  # confidence 1 + alpha * weight
    regularization: Annotated[list[PositiveFloat], Field(min_length=1)] = [0.5]
    iterations: PositiveInt = 10
    blocks: PositiveInt = 4  # parts of the users and of the items


class ImplicitAlsConfig(Section):
    """Alternating least squares on implicit feedback, by conjugate gradients in one worker."""

    dimension: Annotated[list[PositiveInt], Field(min_length=1)] = [64]  # length of the vectors
    # confidence 1 + alpha * weight / mean weight
    alpha: Annotated[list[PositiveFloat], Field(min_length=1)] = [5.0, 1.0, 20.0]
    regularization: Annotated[list[PositiveFloat], Field(min_length=1)] = [0.5, 0.2]
    iterations: PositiveInt = 8


class EaseConfig(Section):
    """Closed-form linear item autoencoder."""

    l2: Annotated[list[PositiveFloat], Field(min_length=1)] = [50.0, 25.0, 100.0]
    item_exponent: NonNegativeFloat = 0.5  # L2 strength of an item: l2 * n_users ** item_exponent
    weights_per_item: PositiveInt = 800  # kept for each scored item: those with most effect


class LocalEaseConfig(Section):
    """EASE on each item's nearest neighbours only, for any number of items."""

    neighbours: PositiveInt = 100  # items in each regression
    user_exponent: NonNegativeFloat = 0.5  # a user counts with degree ** -user_exponent
    l2: Annotated[list[PositiveFloat], Field(min_length=1)] = [5.0]
    item_exponent: NonNegativeFloat = 0.5  # L2 strength of an item: l2 * n_users ** item_exponent


class GraphFilterConfig(Section):
    """Closed-form low-pass filter on the item-item graph; exponents are those of the degrees."""

    user_exponent: Annotated[list[NonNegativeFloat], Field(min_length=1)] = [0.7]
    src_exponent: Annotated[list[NonNegativeFloat], Field(min_length=1)] = [0.6]
    dst_exponent: Annotated[list[NonNegativeFloat], Field(min_length=1)] = [0.3]
    # BSPM's sharpening time (BSPM itself: 2.5 with exponents 1, 0.5, 0.5); 0: no sharpening
    sharpening: Annotated[list[NonNegativeFloat], Field(min_length=1)] = [0.0]
    weights_per_item: PositiveInt = 200  # largest weights kept for each item of a history


class ChebyshevConfig(Section):
    """Closed-form low-pass filter on the item graph, interpolated by Chebyshev polynomials."""

    # scores are taken between degrees of the items ** -b and ** b
    degree_exponent: Annotated[list[NonNegativeFloat], Field(min_length=1)] = [0.4, 0.2, 0.0]
    # of the response: high values pass all but the ends of the spectrum alike
    flatness: Annotated[list[PositiveFloat], Field(min_length=1)] = [1.5, 1.0, 2.0, 4.0, 10.0]
    # of the ideal low-pass filter that is added, and how many singular vectors it passes
    ideal_weight: Annotated[list[NonNegativeFloat], Field(min_length=1)] = [0.2, 0.0, 0.1, 0.4, 0.8]
    n_vectors: Annotated[list[PositiveInt], Field(min_length=1)] = [512, 32, 64, 128, 256]
    weights_per_item: PositiveInt = 500  # largest weights kept for each item of a history


class AutoConfig(Section):
    """The default: a blend whose sources fit the data's size, weighed on validation pairs."""

    # left out are those that need more memory than train.worker_mb, and lightgcn where it would
    # take longer than `minutes`; where chebyshev or implicit_als do not fit, spectral or als join
    sources: Annotated[list[SourceName], Field(min_length=1)] = [
        "chebyshev",
        "ease",
        "local_ease",
        "implicit_als",
        "lightgcn",
    ]
    minutes: PositiveFloat = 5.0  # that the training of lightgcn may be expected to take


class BlendConfig(Section):
    """The models of a blend, whose scores are summed with weights learnt on validation pairs."""

    sources: Annotated[list[SourceName], Field(min_length=1)] = [
        "ease",
        "local_ease",
        "graph_filter",
        "als",
    ]
    # model -> fixed weight, instead of `sources` with learnt weights
    weights: dict[SourceName, PositiveFloat] | None = Field(default=None, min_length=1)


class ValidationConfig(Section):
    """The validation pairs, on which candidates, blend weights and early stopping are decided."""

    fraction: Annotated[float, Field(gt=0, lt=1)] = 0.05  # of the edges that train holds out
    k: PositiveInt = 20  # list length of the NDCG that decides
    users: PositiveInt = 4000  # NDCG is measured on at most so many users
