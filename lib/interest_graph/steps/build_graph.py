"""silver.* -> graph.*: the pruned weighted interest graph of one as-of time, and its structure."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from interest_graph import tables
from interest_graph.graph.build import connect, prune_edges
from interest_graph.graph.degrees import effect_of_bound
from interest_graph.graph.interests import session_edges
from interest_graph.graph.measure import Shapes, modularities, recall_of, shape_of, shape_rows
from interest_graph.graph.scratch import scratch
from interest_graph.graph.structure import components_of, describe
from interest_graph.graph.version import version_of, version_row
from interest_graph.graph.vertices import vertices_of, with_features
from interest_graph.graph.weigh import require_edges, user_item_edges, weigh_edges
from interest_graph.job import Job, Step


def run(job: Job) -> None:
    """Weigh, prune, project and describe the graph; write it under its version."""
    config = job.settings.graph
    items, features = job.read_if_written(tables.ITEMS), _vectors(job)
    with scratch(job.spark) as keep:
        with job.phase("weighing edges"):
            weighed = weigh_edges(job.read(tables.INTERACTIONS), as_of=job.as_of, config=config)
            before = require_edges(keep(user_item_edges(weighed)))
        with job.phase("pruning and projecting"):
            pruned = keep(prune_edges(before, as_of=job.as_of, config=config))
            edges = keep(_connect(job, pruned, items, features))
        with job.phase("structure") as tell:
            behaviour = edges.where(F.col("kind").isin(config.structure.edges))
            structure = describe(behaviour, config, tell=tell)
            recall_before, recall_after = recall_of(before, pruned, config)
            shape_before = shape_of(before, components_of(before, config)) | recall_before
            shape_after = shape_of(edges, structure) | modularities(behaviour, structure)
            bound = config.projection.max_items_per_user
            shape_after |= recall_after | effect_of_bound(pruned, max_items=bound)
        with job.phase("writing the graph"):
            vertices = with_features(
                vertices_of(edges, items),
                before,
                users=job.read_if_written(tables.USERS),
                items=items,
                features=features,
            )
            _write(job, edges, vertices, structure, shape_rows(shape_before, shape_after))
    for name in ("edges", "edges.user_item", "vertices"):
        job.count(name, int(shape_after[name]))


def _vectors(job: Job) -> DataFrame | None:
    """Text vectors of the configured encoder. Raises MissingTableError where texts need them."""
    text = job.settings.graph.text
    is_needed = text.neighbours_per_item or text.n_clusters
    features = job.read(tables.FEATURES) if is_needed else job.read_if_written(tables.FEATURES)
    return (
        None
        if features is None
        else features.where(F.col("model") == job.settings.features.encoder)
    )


def _connect(
    job: Job, pruned: DataFrame, items: DataFrame | None, features: DataFrame | None
) -> DataFrame:
    return connect(
        pruned,
        items,
        job.read_if_written(tables.SOCIAL_EDGES),
        job.settings.graph,
        features=features,
        sessions=session_edges(job.read(tables.INTERACTIONS), as_of=job.as_of),
    )


def _write(
    job: Job, edges: DataFrame, vertices: DataFrame, structure: DataFrame, shapes: Shapes
) -> None:
    version = version_of(job.settings.graph, job.as_of, job.input_versions)
    metrics = job.spark.createDataFrame(shapes, "stage STRING, metric STRING, value DOUBLE")
    written = (
        (tables.EDGES, edges),
        (tables.VERTICES, vertices),
        (tables.COMMUNITIES, structure),
        (tables.GRAPH_METRICS, metrics),
    )
    for table, rows in written:
        versioned = rows.withColumn("graph_version", F.lit(version))
        job.store.replace(table, versioned, where=f"graph_version = '{version}'")
    known = job.read_if_written(tables.GRAPH_VERSIONS)
    row = version_row(version, job.settings.graph, job.as_of, job.input_versions, known)
    job.store.merge(
        tables.GRAPH_VERSIONS, job.spark.createDataFrame([row], tables.GRAPH_VERSIONS.schema)
    )


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
