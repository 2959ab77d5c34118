"""bronze.events -> silver.interactions, silver.quarantine, silver.batches, silver.bots.

silver.interactions depends only on the set of bronze records, not on how they were divided into
batches: a run rewrites the days that its new records affect, completely, from all records of those
days. After a crash between two writes the next run does the work again, with the same result.
"""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from interest_graph import tables
from interest_graph.errors import ConflictError
from interest_graph.events import bots, deduplicate, min_support
from interest_graph.events.near_duplicates import with_canonical_items
from interest_graph.events.row_counts import RowCounts, bucket_of
from interest_graph.events.sessions import add_sessions
from interest_graph.events.typed import type_events
from interest_graph.events.validate import accepted, rules_of
from interest_graph.job import Job, Run
from interest_graph.jobs.clean import clean_plan
from interest_graph.jobs.clean.quarantine import FirstPass, write_refused
from interest_graph.session import interpreting

_ATTEMPTS = 5


def run(run: Run) -> None:
    """Clean the batches that are new or that changed settings affect.

    Raises ConflictError when concurrent runs keep writing silver.interactions.
    """
    run.settings = clean_plan.with_caps(run)
    aliases = clean_plan.write_aliases(run)
    with interpreting(run.spark):
        batches = clean_plan.batches_to_clean(run, aliases)
    if not batches.new:
        clean_plan.record_no_work(run)
        return
    for _ in range(_ATTEMPTS):
        before = clean_plan.versions(run)
        first_pass, counts = _clean(run, batches, aliases)
        with interpreting(run.spark):
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
    rules = rules_of(run.settings.clean, run.as_of)
    typed = type_events(run.read(tables.EVENTS), run.settings.event_sources)
    is_small = batches.are_small(batches.new)
    with run.phase("refusing records"), interpreting(run.spark, small=is_small):
        first_pass = write_refused(run, typed, rules, batches.new)
    region = clean_plan.region_of(run, batches, first_pass)
    if region.is_empty:
        return first_pass, {"accepted": 0, "kept": 0}
    records = accepted(region.select(typed), rules, run.settings.clean).where(region.is_read)
    if aliases is not None:
        records = with_canonical_items(records, aliases)
    with interpreting(run.spark, small=batches.are_small(region.batches)):
        return first_pass, _write_facts(run, records, region)


def _write_facts(run: Run, records: DataFrame, region: clean_plan.Region) -> dict[str, int]:
    row_counts = RowCounts(in_scope=region.is_written)
    with run.phase("cleaning"):
        distinct = _without_repeats(run, _by_user(run, records, row_counts), row_counts)
        facts = _with_sessions(run, _without_bots(run, distinct, row_counts), row_counts)
        columns = facts.where(region.is_written).select(*tables.INTERACTIONS.column_names)
        run.store.replace(tables.INTERACTIONS, columns, where=region.where)
    _list_bots(run, records, region, row_counts)
    return row_counts.counts()


def _by_user(run: Run, records: DataFrame, row_counts: RowCounts) -> DataFrame:
    """Repartition by user, the only shuffle: finding repeats, bots and sessions needs no other."""
    if not _detects_crawlers(run):
        return row_counts.count(records.drop("user_agent").repartition("user_id"), "accepted")
    marked = bots.mark_crawlers(records).repartition("user_id")
    reasons = bots.drop_reason_of_crawlers(row_counts.count(marked, "accepted"))
    return row_counts.drop_marked(row_counts.note_users(reasons), [bots.CRAWLER])


def _without_bots(run: Run, events: DataFrame, row_counts: RowCounts) -> DataFrame:
    """Drop the events of users on days on which they behave like bots."""
    rules = run.settings.clean.bots
    if rules is None:
        return events
    return row_counts.drop_marked(row_counts.note_users(bots.mark_bots(events, rules)), bots.RULES)


def _list_bots(
    run: Run, records: DataFrame, region: clean_plan.Region, row_counts: RowCounts
) -> None:
    """Write silver.bots, from a second pass over the few buckets of users that have a bot."""
    rules, buckets = run.settings.clean.bots, row_counts.noted_buckets()
    if rules is None or not (buckets or run.store.exists(tables.BOTS)):
        return
    again = RowCounts(in_scope=region.is_written)
    suspects = records.where(bucket_of("user_id").isin(buckets) if buckets else F.lit(False))
    marked = bots.mark_bots(_without_repeats(run, _by_user(run, suspects, again), again), rules)
    found = marked.select("user_id", "event_date", "drop_reason")
    if _detects_crawlers(run):
        agents = bots.drop_reason_of_crawlers(bots.mark_crawlers(suspects))
        found = found.unionByName(agents.select(*found.columns))
    listed = found.where(region.is_written & F.col("drop_reason").isNotNull())
    by_day = listed.groupBy("user_id", "event_date", F.col("drop_reason").alias("rule"))
    rows = by_day.agg(F.count(F.lit(1)).alias("n_events"))
    run.store.replace(tables.BOTS, rows, where=region.where)


def _detects_crawlers(run: Run) -> bool:
    rules = run.settings.clean.bots
    has_agents = any("user_agent" in source.columns for source in run.settings.event_sources)
    return rules is not None and rules.crawler_agents and has_agents


def _without_repeats(run: Run, rows: DataFrame, row_counts: RowCounts) -> DataFrame:
    if any("event_id" in source.columns for source in run.settings.event_sources):
        repeated_ids = deduplicate.mark_repeated_ids(rows)
        rows = row_counts.drop_marked(repeated_ids, [deduplicate.DUPLICATE_ID])
    retry_seconds = run.settings.clean.retry_seconds
    repeats = deduplicate.mark_repeated_events(rows, retry_seconds=retry_seconds)
    once = row_counts.drop_marked(repeats, [deduplicate.DUPLICATE_EVENT, deduplicate.RETRY])
    return deduplicate.with_event_id(once)


def _with_sessions(run: Run, events: DataFrame, row_counts: RowCounts) -> DataFrame:
    """Add sessions, then drop events without minimum support if that is configured."""
    config = run.settings.clean
    sessions = add_sessions(events, config)
    least_user, least_item = config.min_user_events, config.min_item_events
    if max(least_user, least_item) > 1:
        marked = min_support.mark_low_support(sessions, min_user=least_user, min_item=least_item)
        sessions = row_counts.drop_marked(marked, [min_support.LOW_USER, min_support.LOW_ITEM])
    return row_counts.count(sessions, "kept")


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
)
