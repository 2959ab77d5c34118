"""What train and tune share: the graph that is trained on, names by content, tracked runs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from interest_graph import tables
from interest_graph.config import TrainConfig
from interest_graph.config.train import NO_RESULT
from interest_graph.graph.version import newest_version
from interest_graph.job import Job
from interest_graph.recommend.graph import user_item_edges
from interest_graph.tracking import Tracker, tracked
from interest_graph.train.edges import EdgeCounts, count_edges


@dataclass(frozen=True)
class TrainingGraph:
    """The graph that was built last. edges: user_id, item_id, weight, cached."""

    version: str
    edges: DataFrame
    counts: EdgeCounts


@contextmanager
def newest_graph(job: Job) -> Iterator[TrainingGraph]:
    """The newest graph's pairs, kept in memory while the block runs.

    Raises TrainingError when there are none.
    """
    newest = newest_version(job.read(tables.GRAPH_VERSIONS))
    graph = job.read(tables.EDGES).where(F.col("graph_version") == newest)
    edges = user_item_edges(graph).persist()
    try:
        yield TrainingGraph(newest, edges, count_edges(edges))
    finally:
        edges.unpersist()


def name_by_content(config: TrainConfig, *decisive: Any) -> str:
    """Twelve hexadecimal digits of all that decides a result: a rerun has the name of the first.

    decisive: what else there is beside the settings and the library's version, as JSON takes it.
    """
    settings = config.model_dump(mode="json", exclude=NO_RESULT)
    content = json.dumps([settings, *decisive, version("interest-graph")], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()[:12]


def track(
    job: Job,
    name: str,
    config: TrainConfig,
    tags: Mapping[str, str],
    early_ends: tuple[type[Exception], ...] = (),
) -> AbstractContextManager[Tracker]:
    """`tracked` with the settings as parameters, and the versions of the tables read as tags."""
    versions = {f"version.{table}": str(number) for table, number in job.input_versions.items()}
    parameters = config.model_dump(mode="json", exclude=NO_RESULT)
    return tracked(config.mlflow, name, parameters, {**tags, **versions}, early_ends)
