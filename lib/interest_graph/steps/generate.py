"""Settings -> log files, ops.made_events, ops.made_items: a made-up log and its truth."""

from __future__ import annotations

from interest_graph import tables
from interest_graph.events.made.items import make_items
from interest_graph.events.made.log import log_lines, make_log, truth_of
from interest_graph.job import Job, Step


def run(job: Job) -> None:
    """Write a made-up log as daily JSON files, its items as CSV, and what each record is."""
    config = job.settings.generate
    rows, items = make_log(job.spark, config), make_items(job.spark, config)
    with job.phase("writing the log"):
        lines = log_lines(rows, config).repartition("delivered_date")
        lines.write.mode("overwrite").partitionBy("delivered_date").text(f"{config.path}/events")
        listed = items.drop("original").coalesce(1).write.mode("overwrite")
        listed.option("header", True).option("escape", '"').csv(f"{config.path}/items")
    with job.phase("writing the truth"):
        job.store.replace(tables.MADE_EVENTS, truth_of(rows))
        originals = items.selectExpr("i AS item_id", "coalesce(original, i) AS original_id")
        job.store.replace(tables.MADE_ITEMS, originals)
    for row in job.store.read(tables.MADE_EVENTS).groupBy("kind").count().orderBy("kind").collect():
        job.count(row["kind"], row["count"])


STEP = Step(
    name="generate",
    run=run,
    writes=(tables.MADE_EVENTS, tables.MADE_ITEMS),
    settings=("generate",),
    always=True,  # its files may have been removed
)
