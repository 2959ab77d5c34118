"""Settings -> log files, ops.made_events, ops.made_items: a synthetic log and its truth."""

from __future__ import annotations

from interest_graph import tables
from interest_graph.events.synthetic import log_lines, synthetic_items, synthetic_log, truth_of
from interest_graph.job import Job, Run


def run(run: Run) -> None:
    """Write a synthetic log as daily JSON files, its items as CSV, and the truth as tables."""
    config = run.settings.generate
    rows, items = synthetic_log(run.spark, config), synthetic_items(run.spark, config)
    with run.phase("writing the log"):
        lines = log_lines(rows, config).repartition("delivered_date")
        lines.write.mode("overwrite").partitionBy("delivered_date").text(f"{config.path}/events")
        listed = items.drop("original").coalesce(1).write.mode("overwrite")
        listed.option("header", True).option("escape", '"').csv(f"{config.path}/items")
    with run.phase("writing the truth"):
        run.store.replace(tables.SYNTHETIC_EVENTS, truth_of(rows))
        originals = items.selectExpr("i AS item_id", "coalesce(original, i) AS original_id")
        run.store.replace(tables.SYNTHETIC_ITEMS, originals)
    for row in (
        run.store.read(tables.SYNTHETIC_EVENTS).groupBy("kind").count().orderBy("kind").collect()
    ):
        run.count(row["kind"], row["count"])


JOB = Job(
    name="generate",
    help="makes a seeded synthetic log of any size with known truth",
    run=run,
    writes=(tables.SYNTHETIC_EVENTS, tables.SYNTHETIC_ITEMS),
    settings=("generate",),
    always=True,  # its files may have been removed
)
