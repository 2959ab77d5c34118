"""The root of the configuration tree."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, Field, PositiveInt, model_validator

from interest_graph.config.base import Section
from interest_graph.config.clean import CleanConfig
from interest_graph.config.evaluate import EvaluateConfig, RecommendConfig, ReportConfig
from interest_graph.config.features import FeaturesConfig, GenerateConfig
from interest_graph.config.graph import DiffConfig, GraphConfig
from interest_graph.config.sources import SourceConfig
from interest_graph.config.train import TrainConfig
from interest_graph.config.tune import TuneConfig
from interest_graph.errors import ConfigError

_SAFE_HOURS = 168  # as in Delta: younger files may be in use by a reader or a running write


class MaintainConfig(Section):
    """How the tables are kept in shape."""

    keep_versions: PositiveInt = 5  # newest builds of graph and model; what is served stays as well
    retention_hours: int = Field(default=_SAFE_HOURS, ge=0)  # files that left a table later stay
    allow_short_retention: bool = False  # breaks readers and time travel below 168 hours

    @model_validator(mode="after")
    def _retention_is_safe(self) -> MaintainConfig:
        if self.retention_hours < _SAFE_HOURS and not self.allow_short_retention:
            raise ValueError(
                f"retention_hours under {_SAFE_HOURS} removes files that readers may still need; "
                "allow_short_retention: true permits it"
            )
        return self


def _unique_names(sources: list[SourceConfig]) -> list[SourceConfig]:
    names = [source.name for source in sources]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"source names must differ; twice: {', '.join(twice)}")
    return sources


class WarehouseConfig(Section):
    """Where the tables are: under a folder or URL, or in a catalog."""

    table_root: str = "./warehouse"  # tables at <table_root>/<schema>/<table>
    catalog: str | None = Field(
        default=None, pattern=r"^[a-z_][a-z0-9_]{0,254}$"
    )  # overrides table_root
    retry_attempts: int = Field(default=6, ge=1)  # on a conflict with another writer


class Settings(Section):
    """All settings of one pipeline."""

    project: str = "interest-graph"
    as_of: datetime | None = None  # later events are ignored (UTC); null: the time of the start
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

    @property
    def event_sources(self) -> list[SourceConfig]:
        """The configured sources of events. Raises ConfigError when there is none."""
        sources = [source for source in self.sources if source.kind == "events"]
        if not sources:
            raise ConfigError("sources", "no source of events is configured")
        return sources
