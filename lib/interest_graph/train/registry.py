"""Models by name. A model's module is imported when the model is made."""

from __future__ import annotations

from collections.abc import Callable

from pyspark.sql import SparkSession

from interest_graph.config.train import TrainConfig
from interest_graph.errors import ConfigError
from interest_graph.plugins import find_function, is_plugin, load_function
from interest_graph.train.fitted import Listener, Model, TrainsInRounds

# As text, not imported here: importing torch takes seconds, and most runs need one model.
_MAKERS = {
    "popularity": "baselines:Popularity",
    "item_knn": "item_item.recipes:item_knn",
    "als": "baselines:als",
    "implicit_als": "implicit_als:implicit_als",
    "ease": "item_item.recipes:ease",
    "local_ease": "item_item.recipes:local_ease",
    "graph_filter": "item_item.recipes:graph_filter",
    "chebyshev": "item_item.chebyshev:Chebyshev",
    "spectral": "spectral:Spectral",
    "lightgcn": "lightgcn:LightGCN",
    "blend": "blend:Blend",
    "auto": "blend:auto",
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

    name: one of MODEL_NAMES, or `module:attribute` of a class or function that takes session,
    settings of train and folder, and returns a model. listener: called after each round of a model
    that trains in rounds, else ignored. Raises ConfigError for any other name, and for what is no
    model.
    """
    model: Model = _maker(name)(spark, config, work_dir)
    if not callable(getattr(model, "fit", None)):
        raise ConfigError("train.model", f"{name} makes no model: what it returns has no fit")
    if listener is not None and isinstance(model, TrainsInRounds):
        return model.with_listener(listener)
    return model


def _maker(name: str) -> Callable[..., Model]:
    if is_plugin(name):
        return load_function("train.model", name)
    if name not in _MAKERS:
        raise ConfigError("train.model", f"unknown model {name!r}", MODEL_NAMES)
    return find_function(f"interest_graph.train.models.{_MAKERS[name]}")
