"""graph.edges, graph.communities -> graph.*_changes: what differs between two graph versions."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from interest_graph import tables
from interest_graph.contract import Table
from interest_graph.graph.diff import diff_communities, diff_edges
from interest_graph.graph.version import pair_to_compare
from interest_graph.job import Job, Step


def run(job: Job) -> None:
    """Compare the versions that the settings name, by default the two built last."""
    config = job.settings.diff
    old, new = pair_to_compare(job.read(tables.GRAPH_VERSIONS), config.old, config.new)
    label = F.col(config.communities).alias("community")
    with job.phase(f"comparing {old} with {new}"):
        edges = [_of(job, tables.EDGES, version) for version in (old, new)]
        groups = [
            _of(job, tables.COMMUNITIES, version).select("id", label) for version in (old, new)
        ]
        changed = diff_edges(*edges, tolerance=config.tolerance)
        _write(job, tables.EDGE_CHANGES, changed, old, new)
        _write(job, tables.COMMUNITY_CHANGES, diff_communities(*groups), old, new)
    for table in (tables.EDGE_CHANGES, tables.COMMUNITY_CHANGES):
        _count(job, table, old, new)


def _of(job: Job, table: Table, version: str) -> DataFrame:
    return job.read(table).where(F.col("graph_version") == version)


def _write(job: Job, table: Table, rows: DataFrame, old: str, new: str) -> None:
    named = rows.withColumns({"old_version": F.lit(old), "new_version": F.lit(new)})
    job.store.replace(table, named, where=_pair(old, new))


def _count(job: Job, table: Table, old: str, new: str) -> None:
    """Rows of the pair by kind, as far as there is one, and change."""
    by = [name for name in ("kind", "change") if name in table.column_names]
    written = job.store.read(table).where(_pair(old, new))
    for row in written.groupBy(*by).count().orderBy(*by).collect():
        name = "community" if len(by) == 1 else row["kind"]
        job.count(f"{name}.{row['change']}", row["count"])


def _pair(old: str, new: str) -> str:
    return f"old_version = '{old}' AND new_version = '{new}'"


STEP = Step(
    name="diff",
    run=run,
    reads=(tables.GRAPH_VERSIONS, tables.EDGES, tables.COMMUNITIES),
    writes=(tables.EDGE_CHANGES, tables.COMMUNITY_CHANGES),
    settings=("diff",),
)
