"""graph.edges, graph.communities -> graph.*_changes: differences between two graph versions."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from interest_graph import tables
from interest_graph.contract import Table
from interest_graph.graph.versions import diff_communities, diff_edges, pair_to_compare
from interest_graph.job import Job, Run


def run(run: Run) -> None:
    """Compare the graph versions in the settings, by default the two newest."""
    config = run.settings.diff
    old, new = pair_to_compare(run.read(tables.GRAPH_VERSIONS), config.old, config.new)
    label = F.col(config.communities).alias("community")
    with run.phase(f"comparing {old} with {new}"):
        edges = [_of(run, tables.EDGES, version) for version in (old, new)]
        groups = [
            _of(run, tables.COMMUNITIES, version).select("id", label) for version in (old, new)
        ]
        changed = diff_edges(*edges, tolerance=config.tolerance)
        _write(run, tables.EDGE_CHANGES, changed, old, new)
        _write(run, tables.COMMUNITY_CHANGES, diff_communities(*groups), old, new)
    for table in (tables.EDGE_CHANGES, tables.COMMUNITY_CHANGES):
        _count(run, table, old, new)


def _of(run: Run, table: Table, version: str) -> DataFrame:
    return run.read(table).where(F.col("graph_version") == version)


def _write(run: Run, table: Table, rows: DataFrame, old: str, new: str) -> None:
    named = rows.withColumns({"old_version": F.lit(old), "new_version": F.lit(new)})
    run.store.replace(table, named, where=_pair(old, new))


def _count(run: Run, table: Table, old: str, new: str) -> None:
    """Count the written rows by change, and by kind where the table has that column."""
    by = [name for name in ("kind", "change") if name in table.column_names]
    written = run.store.read(table).where(_pair(old, new))
    for row in written.groupBy(*by).count().orderBy(*by).collect():
        name = "community" if len(by) == 1 else row["kind"]
        run.count(f"{name}.{row['change']}", row["count"])


def _pair(old: str, new: str) -> str:
    return f"old_version = '{old}' AND new_version = '{new}'"


JOB = Job(
    name="diff",
    help="tells what is new, gone, stronger, weaker, split or merged between two builds",
    run=run,
    reads=(tables.GRAPH_VERSIONS, tables.EDGES, tables.COMMUNITIES),
    writes=(tables.EDGE_CHANGES, tables.COMMUNITY_CHANGES),
    settings=("diff",),
)
