"""gold.*, graph.*, model.*, ops.runs -> report.html: the pipeline's results for people."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from interest_graph import tables
from interest_graph.contract import Table
from interest_graph.evaluate.report import render
from interest_graph.evaluate.sections import Findings, make_page
from interest_graph.job import Job, Step
from interest_graph.steps.graph_pictures import community_map, example_ego, item_ego
from interest_graph.store import absolute

Rows = list[dict[str, Any]]


def run(job: Job) -> None:
    """Gather what the page shows, a few rows of each table, and write it."""
    with job.phase("gathering the report"):
        lists = example_lists(job, job.settings.report.n_users)
        findings = Findings(
            project=job.settings.project,
            as_of=job.as_of,
            runs=_newest_runs(job),
            cleaning=_cleaning(job),
            graph=_of_newest(job, tables.GRAPH_METRICS, tables.GRAPH_VERSIONS, "graph_version"),
            training=_of_newest(job, tables.TRAINING_LOG, tables.MODELS, "model_run"),
            partition=_of_newest(job, tables.PARTITION, tables.MODELS, "model_run"),
            metrics=_rows(job.read_if_written(tables.METRICS)),
            recommendations=lists,
            communities=community_map(job),
            ego=example_ego(job, lists),
            item=item_ego(job),
        )
    path = report_path(job)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(render(make_page(findings)), encoding="utf-8")
    job.count("bytes of the report", path.stat().st_size)


def report_path(job: Job) -> Path:
    """Where the page lies, a path of the driver's host."""
    root = absolute(job.settings.warehouse.table_root)
    beside_tables = "." if ":/" in root else root
    return Path(job.settings.report.path or f"{beside_tables}/report.html").absolute()


def example_lists(job: Job, n_users: int) -> Rows:
    """Recommendations of the first users by id: user_id, rank, item_id, title, reason, strategy
    and the graph_version behind them.

    `report.user` comes first where it is set; users served by popularity alone are passed over.
    """
    recommendations = job.read_if_written(tables.RECOMMENDATIONS)
    if recommendations is None:
        return []
    is_wanted = F.coalesce(F.col("user_id") == F.lit(job.settings.report.user), F.lit(False))
    served = recommendations.where(is_wanted | (F.col("strategy") != "popularity"))
    users = served.select("user_id", is_wanted.alias("_wanted")).distinct()
    wanted_first = [F.desc("_wanted"), F.asc("user_id")]
    chosen = users.orderBy(*wanted_first).limit(n_users)
    shown = recommendations.join(chosen, on="user_id", how="inner")
    columns = ["user_id", "rank", "item_id", "reason", "strategy", "graph_version", "title"]
    return _rows(_titled(job, shown).orderBy(*wanted_first, F.asc("rank")).select(*columns))


def _titled(job: Job, recommendations: DataFrame) -> DataFrame:
    """With `title`: the item's, or its id."""
    items = job.read_if_written(tables.ITEMS)
    if items is None:
        return recommendations.withColumn("title", F.col("item_id"))
    titles = items.select("item_id", "title")
    named = recommendations.join(titles, on="item_id", how="left")
    return named.withColumn("title", F.coalesce("title", "item_id"))


def _newest_runs(job: Job) -> Rows:
    """The last row of ops.runs of each job, its start as text."""
    runs = job.store.read(tables.RUNS) if job.store.exists(tables.RUNS) else None
    if runs is None:
        return []
    last = Window.partitionBy("job").orderBy(F.desc("started_ts"))
    newest = runs.withColumn("_place", F.row_number().over(last)).where("_place = 1")
    started = F.date_format("started_ts", "yyyy-MM-dd HH:mm:ss").alias("started")
    columns = ["job", "status", "seconds", "peak_memory_mb", "reads", "writes"]
    return _rows(newest.orderBy("started_ts").select(*columns, started))


def _cleaning(job: Job) -> dict[str, int]:
    """The counts of the last clean run that took records in."""
    if not job.store.exists(tables.RUNS):
        return {}
    runs = job.store.read(tables.RUNS).where("job = 'clean' AND status = 'succeeded'")
    row = runs.where("rows['rows_in'] > 0").orderBy(F.desc("started_ts")).first()
    return dict(row["rows"]) if row is not None else {}


def _of_newest(job: Job, table: Table, versions: Table, key: str) -> Rows:
    """The rows of `table` that belong to the newest build of `versions`."""
    known, frame = job.read_if_written(versions), job.read_if_written(table)
    newest = known.orderBy(F.desc("build")).first() if known is not None else None
    if newest is None or frame is None:
        return []
    return _rows(frame.where(F.col(key) == newest[key]))


def _rows(frame: DataFrame | None) -> Rows:
    """A few rows, as the page takes them."""
    return [row.asDict() for row in frame.collect()] if frame is not None else []


STEP = Step(
    name="report",
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
    is_missing=lambda job: not report_path(job).exists(),
)
