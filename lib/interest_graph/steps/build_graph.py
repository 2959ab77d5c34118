"""silver.* -> graph.*: the pruned weighted interest graph of one as-of time, and its structure."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from interest_graph import tables
from interest_graph.contract import Table
from interest_graph.graph.build import connect, prune_edges
from interest_graph.graph.measure import shape_of
from interest_graph.graph.scratch import scratch
from interest_graph.graph.structure import components_of, describe
from interest_graph.graph.version import version_of, version_row
from interest_graph.graph.vertices import vertices_of
from interest_graph.graph.weigh import require_edges, user_item_edges, weigh_edges
from interest_graph.job import Job, Step


def run(job: Job) -> None:
    """Weigh, prune, project and describe the graph; write it under its version."""
    config = job.settings.graph
    version = version_of(config, job.as_of, job.input_versions)
    interactions = job.read(tables.INTERACTIONS)
    items = job.read_if_written(tables.ITEMS)
    with scratch(job.spark) as keep:
        with job.phase("weighing edges"):
            weighed = weigh_edges(interactions, as_of=job.as_of, config=config)
            before = require_edges(keep(user_item_edges(weighed)))
        with job.phase("pruning and projecting"):
            pruned = keep(prune_edges(before, config))
            social = job.read_if_written(tables.SOCIAL_EDGES)
            edges = keep(connect(pruned, items, social, config))
        with job.phase("structure"):
            behaviour = edges.where(F.col("kind").isin(config.structure.edges))
            structure = describe(behaviour, config)
            shape_before = shape_of(before, components_of(before, config))
            shape_after = shape_of(edges, structure)
        with job.phase("writing the graph"):
            _write(job, tables.EDGES, version, edges)
            _write(job, tables.VERTICES, version, vertices_of(edges, items))
            _write(job, tables.COMMUNITIES, version, structure)
            _write(job, tables.GRAPH_METRICS, version, _metrics(job, shape_before, shape_after))
            _record_version(job, version)
    job.count("user-item edges weighed", int(shape_before["edges"]))
    job.count("user-item edges kept", int(shape_after["edges.user_item"]))
    job.count("edges of all kinds", int(shape_after["edges"]))
    job.count("vertices", int(shape_after["vertices"]))


def _write(job: Job, table: Table, version: str, rows: DataFrame) -> None:
    versioned = rows.withColumn("graph_version", F.lit(version))
    job.store.replace(table, versioned, where=f"graph_version = '{version}'")


def _metrics(job: Job, before: dict[str, float], after: dict[str, float]) -> DataFrame:
    kept = {"weight_kept_fraction": after["weight.user_item"] / before["weight.user_item"]}
    stages = {"before": before, "after": after | kept}
    rows = [
        (stage, name, value) for stage, shape in stages.items() for name, value in shape.items()
    ]
    return job.spark.createDataFrame(rows, "stage STRING, metric STRING, value DOUBLE")


def _record_version(job: Job, version: str) -> None:
    known = job.read_if_written(tables.GRAPH_VERSIONS)
    row = version_row(version, job.settings.graph, job.as_of, job.input_versions, known)
    frame = job.spark.createDataFrame([row], tables.GRAPH_VERSIONS.schema)
    job.store.merge(tables.GRAPH_VERSIONS, frame)


STEP = Step(
    name="build_graph",
    run=run,
    reads=(tables.INTERACTIONS,),
    optional=(tables.ITEMS, tables.SOCIAL_EDGES, tables.FEATURES),
    writes=(
        tables.VERTICES,
        tables.EDGES,
        tables.GRAPH_METRICS,
        tables.COMMUNITIES,
        tables.GRAPH_VERSIONS,
    ),
    settings=("graph",),
)
