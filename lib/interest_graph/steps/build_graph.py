"""silver.* -> graph.*: the pruned weighted interest graph of one as-of time, and its structure."""

from __future__ import annotations

from dataclasses import dataclass

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from interest_graph import tables
from interest_graph.graph.build import connect, prune_edges
from interest_graph.graph.interests import session_edges
from interest_graph.graph.measure import Shapes, shape_rows, shapes_of
from interest_graph.graph.scratch import scratch
from interest_graph.graph.structure import describe, described_edges
from interest_graph.graph.version import version_of, version_row
from interest_graph.graph.vertices import vertices_of, with_features
from interest_graph.graph.weigh import require_edges, user_item_edges, weigh_edges
from interest_graph.job import Job, Step


@dataclass(frozen=True)
class Inputs:
    """The tables that a graph is built from; features: text vectors of the configured encoder."""

    interactions: DataFrame
    users: DataFrame | None
    items: DataFrame | None
    social: DataFrame | None
    features: DataFrame | None


def run(job: Job) -> None:
    """Weigh, prune, project and describe the graph; write it under its version."""
    config, inputs = job.settings.graph, _read(job)
    with scratch(job.spark) as keep:
        with job.phase("weighing edges"):
            weighed = weigh_edges(inputs.interactions, as_of=job.as_of, config=config)
            before = require_edges(keep(user_item_edges(weighed)))
        with job.phase("pruning and projecting"):
            pruned = keep(prune_edges(before, as_of=job.as_of, config=config))
            edges = keep(_connect(job, inputs, pruned))
        with job.phase("structure") as tell:
            structure = describe(described_edges(edges, config), config, tell=tell)
            shapes = shapes_of(before, pruned, edges, structure, config)
        with job.phase("writing the graph"):
            vertices = _vertices(inputs, before, edges)
            _write(job, edges, vertices, structure, shape_rows(*shapes))
    for name in ("edges", "edges.user_item", "vertices"):
        job.count(name, int(shapes[1][name]))


def _read(job: Job) -> Inputs:
    return Inputs(
        interactions=job.read(tables.INTERACTIONS),
        users=job.read_if_written(tables.USERS),
        items=job.read_if_written(tables.ITEMS),
        social=job.read_if_written(tables.SOCIAL_EDGES),
        features=_read_features(job),
    )


def _read_features(job: Job) -> DataFrame | None:
    """Text vectors of the configured encoder. Raises MissingTableError where texts need them."""
    text = job.settings.graph.text
    is_needed = text.neighbours_per_item or text.n_clusters
    features = job.read(tables.FEATURES) if is_needed else job.read_if_written(tables.FEATURES)
    if features is None:
        return None
    return features.where(F.col("model") == job.settings.features.encoder)


def _connect(job: Job, inputs: Inputs, pruned: DataFrame) -> DataFrame:
    return connect(
        pruned,
        inputs.items,
        inputs.social,
        job.settings.graph,
        features=inputs.features,
        sessions=session_edges(inputs.interactions, as_of=job.as_of),
    )


def _vertices(inputs: Inputs, before: DataFrame, edges: DataFrame) -> DataFrame:
    return with_features(
        vertices_of(edges, inputs.items),
        before,
        users=inputs.users,
        items=inputs.items,
        features=inputs.features,
    )


def _write(
    job: Job, edges: DataFrame, vertices: DataFrame, structure: DataFrame, shapes: Shapes
) -> None:
    config, known = job.settings.graph, job.read_if_written(tables.GRAPH_VERSIONS)
    version = version_of(config, job.as_of, job.input_versions)
    metrics = job.spark.createDataFrame(shapes, "stage STRING, metric STRING, value DOUBLE")
    for table, rows in (
        (tables.EDGES, edges),
        (tables.VERTICES, vertices),
        (tables.COMMUNITIES, structure),
        (tables.GRAPH_METRICS, metrics),
    ):
        versioned = rows.withColumn("graph_version", F.lit(version))
        job.store.replace(table, versioned, where=f"graph_version = '{version}'")
    row = version_row(version, config, job.as_of, job.input_versions, known)
    frame = job.spark.createDataFrame([row], tables.GRAPH_VERSIONS.schema)
    job.store.merge(tables.GRAPH_VERSIONS, frame)


STEP = Step(
    name="build_graph",
    run=run,
    reads=(tables.INTERACTIONS,),
    optional=(tables.USERS, tables.ITEMS, tables.SOCIAL_EDGES, tables.FEATURES),
    writes=(
        tables.VERTICES,
        tables.EDGES,
        tables.GRAPH_METRICS,
        tables.COMMUNITIES,
        tables.GRAPH_VERSIONS,
    ),
    settings=("graph",),
)
