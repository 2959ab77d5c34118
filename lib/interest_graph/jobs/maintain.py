"""Every table -> the same table in fewer, larger files, without old builds and old files."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import Row

from interest_graph import tables
from interest_graph.builds import expired_builds
from interest_graph.contract import Table
from interest_graph.job import Job, Run

# The register of builds comes last: an interrupted expiry is finished by the next run.
_OF_GRAPHS = (
    tables.EDGES,
    tables.VERTICES,
    tables.COMMUNITIES,
    tables.GRAPH_METRICS,
    tables.GRAPH_VERSIONS,
)
_OF_PAIRS = (tables.EDGE_CHANGES, tables.COMMUNITY_CHANGES)
_OF_MODELS = (
    tables.EMBEDDINGS,
    tables.ITEM_WEIGHTS,
    tables.TRAINING_LOG,
    tables.SHARDS,
    tables.PARTITION,
    tables.MODELS,
)


def run(run: Run) -> None:
    """Expire old builds, then OPTIMIZE and VACUUM every table that is there."""
    with run.phase("expiring old builds"):
        _expire(run)
    config = run.settings.maintain
    for table in tables.ALL_TABLES.values():
        if run.store.exists(table):
            with run.phase(f"maintaining {table.name}"):
                n_removed, n_added = run.store.compact(table)
                run.store.vacuum(table, hours=config.retention_hours)
                run.store.trim_log(table)
            run.count(f"{table.name}.files_removed", n_removed)
            run.count(f"{table.name}.files_added", n_added)


def _expire(run: Run) -> None:
    built = _rows(run, tables.GRAPH_VERSIONS, "graph_version", "build")
    graphs = {row.graph_version: row.build for row in built}
    trained = _rows(run, tables.MODELS, "model_run", "build", "graph_version")
    models = {model: (build, graph) for model, build, graph in trained}
    served = _rows(run, tables.RECOMMENDATIONS, "model_run", "graph_version")
    keep = run.settings.maintain.keep_versions
    old_graphs, old_models = expired_builds(graphs, models, served, keep=keep)
    _expire_where(run, _OF_MODELS, ["model_run"], old_models)
    _expire_where(run, _OF_PAIRS, ["old_version", "new_version"], old_graphs)
    _expire_where(run, _OF_GRAPHS, ["graph_version"], old_graphs)
    run.count("graphs_expired", len(old_graphs))
    run.count("models_expired", len(old_models))


def _rows(run: Run, table: Table, *columns: str) -> list[Row]:
    """The distinct rows of these columns: a few for each build."""
    frame = run.read_if_written(table)
    return [] if frame is None else frame.select(*columns).distinct().collect()


def _expire_where(
    run: Run, those: Sequence[Table], columns: Sequence[str], names: Sequence[str]
) -> None:
    if not names:
        return
    listed = ", ".join(map(repr, names))
    for table in filter(run.store.exists, those):
        run.store.expire(table, " OR ".join(f"{column} IN ({listed})" for column in columns))


JOB = Job(
    name="maintain",
    help="joins small files, removes old ones and old versions within the retention guard",
    run=run,
    settings=("maintain",),
    always=True,
)
