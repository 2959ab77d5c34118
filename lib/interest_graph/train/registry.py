"""Models by name. A model's module is imported when the model is made."""

from __future__ import annotations

from importlib import import_module

from pyspark.sql import SparkSession

from interest_graph.config.train import TrainConfig
from interest_graph.errors import ConfigError
from interest_graph.train.fitted import Listener, Model, TrainsInRounds

# As text, not imported here: importing torch takes seconds, and most runs need one model.
_MAKERS = {
    "popularity": "baselines:Popularity",
    "item_knn": "item_item.recipes:item_knn",
    "als": "baselines:als",
    "ease": "item_item.recipes:ease",
    "local_ease": "item_item.recipes:local_ease",
    "graph_filter": "item_item.recipes:graph_filter",
    "spectral": "spectral:Spectral",
    "lightgcn": "lightgcn:LightGCN",
    "blend": "blend:Blend",
}

MODEL_NAMES = tuple(_MAKERS)


def make_model(
    name: str,
    spark: SparkSession,
    config: TrainConfig,
    work_dir: str,
    listener: Listener | None = None,
) -> Model:
    """Make the model called `name`; its checkpoints go to the folder work_dir.

    listener: called after each round of a model that trains in rounds, else ignored.
    Raises ConfigError for a name that is not in MODEL_NAMES.
    """
    if name not in _MAKERS:
        raise ConfigError("train.model", f"unknown model {name!r}", MODEL_NAMES)
    module, _, maker = _MAKERS[name].partition(":")
    make = getattr(import_module(f"interest_graph.train.models.{module}"), maker)
    model: Model = make(spark, config, work_dir)
    if listener is not None and isinstance(model, TrainsInRounds):
        return model.with_listener(listener)
    return model
