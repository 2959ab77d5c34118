"""gold.*, graph.*, model.*, ops.runs -> report.html: the results on one HTML page."""

from __future__ import annotations

from typing import Any

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from interest_graph import tables
from interest_graph.builds import newest_build
from interest_graph.contract import Table
from interest_graph.evaluate.graph_pictures import (
    GraphTables,
    community_map,
    example_ego,
    item_ego,
)
from interest_graph.evaluate.page import render
from interest_graph.evaluate.sections import Findings, make_page
from interest_graph.filesystem import FileSystem, absolute
from interest_graph.job import Job, Run

Rows = list[dict[str, Any]]


def run(run: Run) -> None:
    """Collect a few rows of each table, draw the page and write it."""
    with run.phase("gathering the report"):
        lists = example_lists(run, run.settings.report.n_users)
        newest = _newest_graph(run)
        shown = _graph_of(run, lists[0]["graph_version"]) if lists else None
        findings = Findings(
            project=run.settings.project,
            as_of=run.as_of,
            runs=_newest_runs(run),
            cleaning=_cleaning(run),
            graph=_of_newest(run, tables.GRAPH_METRICS, tables.GRAPH_VERSIONS, "graph_version"),
            training=_of_newest(run, tables.TRAINING_LOG, tables.MODELS, "model_run"),
            partition=_of_newest(run, tables.PARTITION, tables.MODELS, "model_run"),
            metrics=_rows(run.read_if_written(tables.METRICS)),
            recommendations=lists,
            communities=community_map(newest) if newest else None,
            ego=example_ego(shown, lists) if shown else None,
            item=item_ego(newest, run.settings.report.item) if newest else None,
        )
    page = render(make_page(findings)).encode()
    FileSystem(run.spark).write(report_path(run), page)
    run.count("bytes of the report", len(page))


def _newest_graph(run: Run) -> GraphTables | None:
    newest = newest_build(run.read_if_written(tables.GRAPH_VERSIONS))
    return _graph_of(run, newest["graph_version"]) if newest is not None else None


def _graph_of(run: Run, version: str) -> GraphTables | None:
    """One version of the graph; None where a table of it is missing."""
    frames = [
        run.read_if_written(table) for table in (tables.EDGES, tables.VERTICES, tables.COMMUNITIES)
    ]
    own = [frame.where(F.col("graph_version") == version) for frame in frames if frame is not None]
    return GraphTables(*own) if len(own) == len(frames) else None


def report_path(run: Run) -> str:
    """Path of the page: `report.path`, or by default report.html in the folder of the tables."""
    given = run.settings.report.path
    return absolute(run.spark, given) if given else f"{run.root}/report.html"


def example_lists(run: Run, n_users: int) -> Rows:
    """Recommendations of the first n_users by id, `report.user` first if it is set.

    Returns user_id, rank, item_id, title, reason, strategy and the graph_version that they were
    computed from. Users whose list was filled by popularity are skipped.
    """
    recommendations = run.read_if_written(tables.RECOMMENDATIONS)
    if recommendations is None:
        return []
    is_wanted = F.coalesce(F.col("user_id") == F.lit(run.settings.report.user), F.lit(False))
    served = recommendations.where(is_wanted | (F.col("strategy") != "popularity"))
    users = served.select("user_id", is_wanted.alias("_wanted")).distinct()
    wanted_first = [F.desc("_wanted"), F.asc("user_id")]
    chosen = users.orderBy(*wanted_first).limit(n_users)
    shown = recommendations.join(chosen, on="user_id", how="inner")
    columns = ["user_id", "rank", "item_id", "reason", "strategy", "graph_version", "title"]
    return _rows(_titled(run, shown).orderBy(*wanted_first, F.asc("rank")).select(*columns))


def _titled(run: Run, recommendations: DataFrame) -> DataFrame:
    """Add `title`: the title of the item, or its id if it has none."""
    items = run.read_if_written(tables.ITEMS)
    if items is None:
        return recommendations.withColumn("title", F.col("item_id"))
    titles = items.select("item_id", "title")
    named = recommendations.join(titles, on="item_id", how="left")
    return named.withColumn("title", F.coalesce("title", "item_id"))


def _newest_runs(run: Run) -> Rows:
    """The newest row of ops.runs of each job, with its start as text in `started`."""
    runs = run.store.read(tables.RUNS) if run.store.exists(tables.RUNS) else None
    if runs is None:
        return []
    last = Window.partitionBy("job").orderBy(F.desc("started_ts"))
    newest = runs.withColumn("_place", F.row_number().over(last)).where("_place = 1")
    started = F.date_format("started_ts", "yyyy-MM-dd HH:mm:ss").alias("started")
    columns = ["job", "status", "seconds", "peak_memory_mb", "reads", "writes"]
    return _rows(newest.orderBy("started_ts").select(*columns, started))


def _cleaning(run: Run) -> dict[str, int]:
    """The row counts of the newest successful clean run that had records; empty if none."""
    if not run.store.exists(tables.RUNS):
        return {}
    runs = run.store.read(tables.RUNS).where("job = 'clean' AND status = 'succeeded'")
    row = runs.where("rows['rows_in'] > 0").orderBy(F.desc("started_ts")).first()
    return dict(row["rows"]) if row is not None else {}


def _of_newest(run: Run, table: Table, versions: Table, key: str) -> Rows:
    """The rows of `table` that belong to the newest build of `versions`."""
    newest, frame = newest_build(run.read_if_written(versions)), run.read_if_written(table)
    if newest is None or frame is None:
        return []
    return _rows(frame.where(F.col(key) == newest[key]))


def _rows(frame: DataFrame | None) -> Rows:
    """Collect a frame of a few rows as dicts; empty for None."""
    return [row.asDict() for row in frame.collect()] if frame is not None else []


JOB = Job(
    name="report",
    help="draws one self-contained page of the results",
    run=run,
    optional=(
        tables.RECOMMENDATIONS,
        tables.METRICS,
        tables.GRAPH_METRICS,
        tables.GRAPH_VERSIONS,
        tables.TRAINING_LOG,
        tables.PARTITION,
        tables.MODELS,
        tables.EDGES,
        tables.VERTICES,
        tables.COMMUNITIES,
        tables.ITEMS,
    ),
    settings=("report",),
    after=("evaluate",),
    is_stage=True,
    is_missing=lambda run: not FileSystem(run.spark).exists(report_path(run)),
)
