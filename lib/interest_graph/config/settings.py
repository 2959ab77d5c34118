"""The root of the configuration tree."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, Field

from interest_graph.config.base import Section
from interest_graph.config.clean import CleanConfig
from interest_graph.config.evaluate import EvaluateConfig, ReportConfig
from interest_graph.config.features import FeaturesConfig
from interest_graph.config.generate import GenerateConfig
from interest_graph.config.graph import DiffConfig, GraphConfig
from interest_graph.config.maintain import MaintainConfig
from interest_graph.config.recommend import RecommendConfig
from interest_graph.config.sources import SourceConfig
from interest_graph.config.train import TrainConfig
from interest_graph.config.tune import TuneConfig


def _unique_names(sources: list[SourceConfig]) -> list[SourceConfig]:
    names = [source.name for source in sources]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"source names must differ; twice: {', '.join(twice)}")
    return sources


class WarehouseConfig(Section):
    """Where the tables lie: under a folder, or in a catalog."""

    table_root: str = "./warehouse"  # tables at <table_root>/<schema>/<table>
    catalog: str | None = Field(
        default=None, pattern=r"^[a-z_][a-z0-9_]{0,254}$"
    )  # overrides table_root
    retry_attempts: int = Field(default=6, ge=1)  # on a conflict with another writer


class Settings(Section):
    """All settings of one pipeline."""

    project: str = "interest-graph"
    as_of: datetime | None = None  # nothing later is seen (UTC); without it, the time of the start
    warehouse: WarehouseConfig = WarehouseConfig()
    sources: Annotated[list[SourceConfig], AfterValidator(_unique_names)] = []
    clean: CleanConfig = CleanConfig()
    generate: GenerateConfig = GenerateConfig()
    features: FeaturesConfig = FeaturesConfig()
    graph: GraphConfig = GraphConfig()
    diff: DiffConfig = DiffConfig()
    train: TrainConfig = TrainConfig()
    tune: TuneConfig = TuneConfig()
    recommend: RecommendConfig = RecommendConfig()
    evaluate: EvaluateConfig = EvaluateConfig()
    report: ReportConfig = ReportConfig()
    maintain: MaintainConfig = MaintainConfig()
