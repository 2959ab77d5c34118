"""A pipeline's YAML file as one tree of typed, frozen settings."""

from interest_graph.config.base import Section
from interest_graph.config.clean import CleanConfig
from interest_graph.config.evaluate import (
    EvaluateConfig,
    RecommendConfig,
    ReportConfig,
    SplitConfig,
)
from interest_graph.config.features import FeaturesConfig
from interest_graph.config.graph import GraphConfig
from interest_graph.config.load import change_train, load_settings, pick_train
from interest_graph.config.settings import Settings, WarehouseConfig
from interest_graph.config.sources import SourceConfig, TimeFormat
from interest_graph.config.train import MlflowConfig, TrainConfig
from interest_graph.config.tune import Range, TuneConfig

__all__ = [
    "CleanConfig",
    "EvaluateConfig",
    "FeaturesConfig",
    "GraphConfig",
    "MlflowConfig",
    "Range",
    "RecommendConfig",
    "ReportConfig",
    "Section",
    "Settings",
    "SourceConfig",
    "SplitConfig",
    "TimeFormat",
    "TrainConfig",
    "TuneConfig",
    "WarehouseConfig",
    "change_train",
    "load_settings",
    "pick_train",
]
