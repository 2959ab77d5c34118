"""silver.* -> graph.*: the pruned weighted interest graph at the as-of time, and its structure."""

from __future__ import annotations

from dataclasses import dataclass

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from interest_graph import tables
from interest_graph.cache_scope import cache_scope
from interest_graph.graph.build import connect, prune_edges
from interest_graph.graph.checks import require_bounded, require_edges, require_kept
from interest_graph.graph.interests import session_edges
from interest_graph.graph.metrics import Shapes, shape_rows, shapes_of
from interest_graph.graph.structure import describe, described_edges
from interest_graph.graph.versions import version_of, version_row
from interest_graph.graph.vertices import vertices_of, with_features
from interest_graph.graph.weigh import to_graph_edges, weigh_edges
from interest_graph.job import Job, Run


@dataclass(frozen=True)
class Inputs:
    """The tables that a graph is built from; None if absent. features: of the set encoder only."""

    interactions: DataFrame
    users: DataFrame | None
    items: DataFrame | None
    social: DataFrame | None
    features: DataFrame | None


def run(run: Run) -> None:
    """Weigh, prune and project the edges, describe the structure, write all as one version."""
    config, inputs = run.settings.graph, _read(run)
    with cache_scope(run.spark) as keep:
        with run.phase("weighing edges"):
            weighed = weigh_edges(inputs.interactions, as_of=run.as_of, config=config)
            before = keep(to_graph_edges(weighed))
            require_edges(before, inputs.interactions, as_of=run.as_of)
            require_bounded(before)
        with run.phase("pruning and projecting"):
            pruned = keep(prune_edges(before, as_of=run.as_of, config=config))
            require_kept(before, pruned, as_of=run.as_of, config=config)
            edges = keep(_connect(run, inputs, pruned))
            require_bounded(edges)
        with run.phase("structure") as report:
            structure = describe(described_edges(edges, config), config, report=report)
            shapes = shapes_of(before, pruned, edges, structure, config)
        with run.phase("writing the graph"):
            vertices = _vertices(inputs, before, edges)
            _write(run, edges, vertices, structure, shape_rows(*shapes))
    for name in ("edges", "edges.user_item", "vertices"):
        run.count(name, int(shapes[1][name]))


def _read(run: Run) -> Inputs:
    return Inputs(
        interactions=run.read(tables.INTERACTIONS),
        users=run.read_if_written(tables.USERS),
        items=run.read_if_written(tables.ITEMS),
        social=run.read_if_written(tables.SOCIAL_EDGES),
        features=_read_features(run),
    )


def _read_features(run: Run) -> DataFrame | None:
    """Text vectors of the configured encoder, None if absent.

    Raises MissingTableError if they are absent and the settings of graph.text need them.
    """
    text = run.settings.graph.text
    is_needed = text.neighbours_per_item or text.n_clusters
    features = run.read(tables.FEATURES) if is_needed else run.read_if_written(tables.FEATURES)
    if features is None:
        return None
    return features.where(F.col("model") == run.settings.features.encoder)


def _connect(run: Run, inputs: Inputs, pruned: DataFrame) -> DataFrame:
    return connect(
        pruned,
        inputs.items,
        inputs.social,
        run.settings.graph,
        features=inputs.features,
        sessions=session_edges(inputs.interactions, as_of=run.as_of),
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
    run: Run, edges: DataFrame, vertices: DataFrame, structure: DataFrame, shapes: Shapes
) -> None:
    config, known = run.settings.graph, run.read_if_written(tables.GRAPH_VERSIONS)
    version = version_of(config, run.as_of, run.input_identities)
    metrics = run.spark.createDataFrame(shapes, "stage STRING, metric STRING, value DOUBLE")
    for table, rows in (
        (tables.EDGES, edges),
        (tables.VERTICES, vertices),
        (tables.COMMUNITIES, structure),
        (tables.GRAPH_METRICS, metrics),
    ):
        versioned = rows.withColumn("graph_version", F.lit(version))
        run.store.replace(table, versioned, where=f"graph_version = '{version}'")
    row = version_row(version, config, run.as_of, run.input_versions, known)
    frame = run.spark.createDataFrame([row], tables.GRAPH_VERSIONS.schema)
    run.store.merge(tables.GRAPH_VERSIONS, frame)


JOB = Job(
    name="build_graph",
    help="weighs, prunes and projects; finds components, ranks, cores and communities",
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
    after=(
        "clean",
        "featurize",
    ),
    is_stage=True,
)
