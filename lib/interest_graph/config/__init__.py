"""A pipeline's YAML file as one tree of typed, frozen settings."""

from interest_graph.config.base import Section
from interest_graph.config.clean import CleanConfig
from interest_graph.config.evaluate import EvaluateConfig, ReportConfig, SplitConfig
from interest_graph.config.features import FeaturesConfig
from interest_graph.config.graph import GraphConfig
from interest_graph.config.load import load_settings
from interest_graph.config.recommend import RecommendConfig
from interest_graph.config.settings import Settings, WarehouseConfig
from interest_graph.config.sources import SourceConfig, TimeFormat
from interest_graph.config.train import TrainConfig

__all__ = [
    "CleanConfig",
    "EvaluateConfig",
    "FeaturesConfig",
    "GraphConfig",
    "RecommendConfig",
    "ReportConfig",
    "Section",
    "Settings",
    "SourceConfig",
    "SplitConfig",
    "TimeFormat",
    "TrainConfig",
    "WarehouseConfig",
    "load_settings",
]
