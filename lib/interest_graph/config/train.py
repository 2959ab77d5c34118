"""Settings of the train stage."""

from __future__ import annotations

from typing import Literal

from pydantic import NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt

from interest_graph.config.base import Section
from interest_graph.config.models import (
    AlsConfig,
    EaseConfig,
    GraphFilterConfig,
    ItemKnnConfig,
    LocalEaseConfig,
    ValidationConfig,
)


class SpectralConfig(Section):
    """Ideal low-pass filter: leading singular vectors of the normalised graph."""

    n_products: PositiveInt = 4  # passes over the shards; more make the last vectors more exact
    popularity: NonNegativeFloat = 0.5  # exponent of an item's degree in its score


class TrainConfig(Section):
    """The model and how it is trained on shards."""

    model: Literal[
        "popularity",
        "item_knn",
        "als",
        "ease",
        "local_ease",
        "graph_filter",
        "spectral",
        "lightgcn",
        "blend",
    ] = "lightgcn"
    n_shards: PositiveInt = 2
    dimension: PositiveInt = 64  # length of an embedding
    n_layers: PositiveInt = 3  # graph convolutions
    start: Literal["spectral", "random"] = "spectral"  # of LightGCN's vectors
    start_scale: PositiveFloat = 0.3  # root mean square of the first vectors
    max_rounds: PositiveInt = 60
    passes_per_round: PositiveInt = 1  # times that a shard sees its edges between two exchanges
    patience: PositiveInt = 10  # rounds without a better validation metric before training stops
    batch_size: PositiveInt = 2048  # user-item pairs a step
    learning_rate: PositiveFloat = 0.005
    weight_decay: NonNegativeFloat = 1e-4
    seed: NonNegativeInt = 42
    worker_mb: PositiveInt = 4096  # a model that would need more in one worker refuses to start
    validation: ValidationConfig = ValidationConfig()
    spectral: SpectralConfig = SpectralConfig()
    item_knn: ItemKnnConfig = ItemKnnConfig()
    als: AlsConfig = AlsConfig()
    ease: EaseConfig = EaseConfig()
    local_ease: LocalEaseConfig = LocalEaseConfig()
    graph_filter: GraphFilterConfig = GraphFilterConfig()
