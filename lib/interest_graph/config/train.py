"""Settings of the train stage."""

from __future__ import annotations

from typing import Literal

from pydantic import NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt

from interest_graph.config.base import Section
from interest_graph.config.models import AlsConfig, ItemKnnConfig, ValidationConfig


class TrainConfig(Section):
    """The model and how it is trained on shards."""

    model: Literal[
        "popularity", "item_knn", "als", "ease", "graph_filter", "spectral", "lightgcn", "blend"
    ] = "lightgcn"
    n_shards: PositiveInt = 2
    dimension: PositiveInt = 64  # length of an embedding
    n_layers: PositiveInt = 3  # graph convolutions
    max_rounds: PositiveInt = 60
    patience: PositiveInt = 10  # rounds without a better validation metric before training stops
    batch_size: PositiveInt = 2048  # user-item pairs a step
    learning_rate: PositiveFloat = 0.005
    weight_decay: NonNegativeFloat = 1e-4
    seed: NonNegativeInt = 42
    worker_mb: PositiveInt = 4096  # a model that would need more in one worker refuses to start
    validation: ValidationConfig = ValidationConfig()
    item_knn: ItemKnnConfig = ItemKnnConfig()
    als: AlsConfig = AlsConfig()
