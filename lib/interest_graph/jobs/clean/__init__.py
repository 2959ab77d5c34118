"""bronze.events -> silver.interactions, silver.quarantine, silver.batches, silver.bots.

Kernels do the work (events/map_task.py, events/reduce_task.py); Spark moves packed events between
them and commits what they wrote. silver.interactions depends only on the set of bronze records,
not on how they were divided into batches: a run rewrites the periods that its new records affect,
completely, from all records of their days. After a crash between two writes the next run does the
work again, with the same result.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import structlog
from pyspark import StorageLevel
from pyspark.sql import DataFrame, Observation
from pyspark.sql import functions as F

from interest_graph import tables
from interest_graph.delta_state import sql_of
from interest_graph.errors import ConflictError
from interest_graph.events import min_support, task_rows
from interest_graph.events.clean_records import n_parts
from interest_graph.events.kernel_frames import (
    added,
    large_rows,
    reader_errors,
    summaries,
    table_rows,
    write_table,
)
from interest_graph.events.map_task import QUARANTINE, MapWork
from interest_graph.events.reduce_task import BOTS, BYTES_OF_EVENT, INTERACTIONS
from interest_graph.job import Job, Run
from interest_graph.jobs.clean import clean_plan, frames
from interest_graph.jobs.clean.first_pass import FirstPass, first_pass_of
from interest_graph.session import interpreting

_ATTEMPTS = 5


def run(run: Run) -> None:
    """Clean the batches that are new or that changed settings affect.

    Raises ConflictError when concurrent runs keep writing silver.interactions.
    """
    clean_plan.upgrade_tables(run)
    run.settings = clean_plan.with_caps(run)
    aliases = clean_plan.write_aliases(run)
    with interpreting(run.spark):
        batches = clean_plan.batches_to_clean(run, aliases)
    if not batches.new:
        clean_plan.record_no_work(run)
        return
    for _ in range(_ATTEMPTS):
        before = clean_plan.versions(run)
        with large_rows(run.spark), interpreting(run.spark):
            first_pass, counts = _clean(run, batches, aliases)
            clean_plan.record_batches(run, batches, first_pass, counts)
        if clean_plan.wrote_alone(run, before):
            return
        # A concurrent run wrote the tables without these batches: clean again from all records.
        run.pin()
        batches = clean_plan.batches_to_clean(run, aliases, again=batches.new)
    raise ConflictError("clean: another run keeps writing silver.interactions")


def _clean(
    run: Run, batches: clean_plan.Batches, aliases: DataFrame | None
) -> tuple[FirstPass, dict[str, int]]:
    new, told, work = _packed(run, batches, aliases)
    try:
        with run.phase("refusing records"), reader_errors():
            told = told or summaries(new)
            refused = {"batch_id": list(batches.new), "kind": ["events"]}
            write_table(run.store, tables.QUARANTINE, QUARANTINE, told, new, refused)
        first_pass = first_pass_of(told, batches.new)
        region = clean_plan.region_of(run, batches, first_pass)
        if region.is_empty:
            return first_pass, {"accepted": 0, "kept": 0}
        events = new.where(F.col("kind") == task_rows.EVENTS)
        if region.batches:
            again = frames.map_batches(run, region.batches, work, region.read)
            events = events.union(again.where(F.col("kind") == task_rows.EVENTS))
        with run.phase("cleaning"), reader_errors():
            return first_pass, _write_facts(run, events, work, region)
    finally:
        new.unpersist()


def _packed(
    run: Run, batches: clean_plan.Batches, aliases: DataFrame | None
) -> tuple[DataFrame, list[dict[str, Any]], MapWork]:
    """The new records packed by users' parts, what the tasks told if they ran, and their work."""
    handed = None if run.handover is None else run.handover.take(batches.new)
    if handed is not None:
        return handed.rows, handed.told, handed.work
    parts = n_parts(run.spark, sum(batches.held.values()))
    work = frames.map_work(run, parts, aliases)
    # On disk: they are needed twice, to find the days and to make the facts.
    rows = frames.map_batches(run, batches.new, work).persist(StorageLevel.DISK_ONLY)
    return rows, [], work


def _write_facts(
    run: Run, events: DataFrame, work: MapWork, region: clean_plan.Region
) -> dict[str, int]:
    """Write the facts of the region and its bots; returns the counts of records."""
    files = frames.fact_files(run)
    rows = frames.reduced(run, events, work, region.written, region.grain, files)
    if not {INTERACTIONS, BOTS} <= files.keys():
        rows = rows.persist(StorageLevel.DISK_ONLY)
    told = summaries(rows)
    _warn_of(added(told, "large_users"))
    counts = Counter({"accepted": 0, "kept": 0})
    counts.update(added(told, "reduce"))
    if frames.needs_support(run):
        counts.update(_write_supported(run, rows, region))
    else:
        write_table(run.store, tables.INTERACTIONS, INTERACTIONS, told, rows, region.replaced)
    if run.settings.clean.bots is not None:
        write_table(run.store, tables.BOTS, BOTS, told, rows, region.replaced)
    rows.unpersist()
    return dict(counts)


def _warn_of(large_users: Mapping[str, int]) -> None:
    """Name users whose events fill a worker; all of a user's are cleaned together."""
    for user, n in large_users.items():
        structlog.get_logger().warning(
            "one worker holds all events of a user",
            user_id=user,
            events=n,
            memory_mb=round(n * BYTES_OF_EVENT / 2**20),
        )


def _write_supported(run: Run, rows: DataFrame, region: clean_plan.Region) -> dict[str, int]:
    """Write the facts of users and items with enough events; returns changes to the counts."""
    config, dropped = run.settings.clean, Observation()
    marked = min_support.mark_low_support(
        table_rows(rows, INTERACTIONS, tables.INTERACTIONS.schema),
        min_user=config.min_user_events,
        min_item=config.min_item_events,
    )
    reasons = (min_support.LOW_USER, min_support.LOW_ITEM)
    counts = [F.count(F.when(F.col("drop_reason") == r, 1)).alias(r) for r in reasons]
    kept = marked.observe(dropped, *counts).where("drop_reason IS NULL").drop("drop_reason")
    run.store.replace(tables.INTERACTIONS, kept, where=sql_of(region.replaced))
    n_dropped = {reason: int(dropped.get[reason]) for reason in reasons}
    return {**n_dropped, "kept": -sum(n_dropped.values())}


JOB = Job(
    name="clean",
    help="types records, refuses with reasons, removes duplicates and bots, finds sessions; "
    "accounts for every row",
    run=run,
    reads=(tables.EVENTS, tables.FILES),
    optional=(tables.ITEMS, tables.VALUE_CAPS),
    writes=(
        tables.INTERACTIONS,
        tables.QUARANTINE,
        tables.BOTS,
        tables.BATCHES,
        tables.ITEM_ALIASES,
    ),
    settings=("clean", "sources"),
    after=("ingest",),
    is_stage=True,
    always=True,  # run() itself finds out, from silver.batches, whether there is work
    is_light=True,
)
