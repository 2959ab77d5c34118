"""bronze.events -> silver.interactions, silver.quarantine, silver.batches: facts out of records.

What silver.interactions holds is a function of the set of bronze records: a run writes the days
that its new records act on, whole, out of all records of those days. A crash between two of its
writes leaves work that the next run does again with the same result.
"""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from interest_graph import tables
from interest_graph.errors import ConflictError
from interest_graph.events import bots, crawlers, deduplicate, support
from interest_graph.events.funnel import Funnel, bucket_of
from interest_graph.events.same_items import with_canonical_items
from interest_graph.events.sessionise import add_sessions
from interest_graph.events.typed import type_events
from interest_graph.events.validate import accepted
from interest_graph.job import Job, Step
from interest_graph.session import interpreting
from interest_graph.steps import cleaning
from interest_graph.steps.fit_caps import with_fitted_caps
from interest_graph.steps.refusing import Seen, write_refused

_ATTEMPTS = 5


def run(job: Job) -> None:
    """Clean the batches that silver.interactions does not account for yet."""
    job = with_fitted_caps(job)
    aliases = cleaning.write_aliases(job)
    with interpreting(job.spark):
        batches = cleaning.batches_to_clean(job, aliases)
    if not batches.new:
        cleaning.count_nothing(job)
        return
    for _ in range(_ATTEMPTS):
        before = cleaning.versions(job)
        seen, counts = _clean(job, batches, aliases)
        with interpreting(job.spark):
            cleaning.settle(job, batches, seen, counts)
        if cleaning.is_undisturbed(job, before):
            return
        # Another run wrote the same days out of what it knew: write them again out of all.
        job.input_versions |= {table.name: job.store.version(table) for table in STEP.reads}
        batches = cleaning.batches_to_clean(job, aliases, again=batches.new)
    raise ConflictError("clean: another run keeps writing silver.interactions")


def _clean(
    job: Job, batches: cleaning.Batches, aliases: DataFrame | None
) -> tuple[Seen, dict[str, int]]:
    rules = cleaning.rules_of(job)
    typed = type_events(job.read(tables.EVENTS), cleaning.event_sources(job))
    is_small = batches.are_small(batches.new)
    with job.phase("refusing records"), interpreting(job.spark, small=is_small):
        seen = write_refused(job, typed, rules, batches.new)
    region = cleaning.region_of(job, batches, seen)
    if region.is_empty:
        return seen, {"accepted": 0, "kept": 0}
    records = accepted(region.select(typed), rules, job.settings.clean).where(region.is_read)
    if aliases is not None:
        records = with_canonical_items(records, aliases)
    with interpreting(job.spark, small=batches.are_small(region.batches)):
        return seen, _write_facts(job, records, region)


def _write_facts(job: Job, records: DataFrame, region: cleaning.Region) -> dict[str, int]:
    funnel = Funnel(due=region.is_written)
    with job.phase("cleaning"):
        distinct = _distinct(job, _by_user(job, records, funnel), funnel)
        facts = _in_sessions(job, _of_people(job, distinct, funnel), funnel)
        columns = facts.where(region.is_written).select(*tables.INTERACTIONS.column_names)
        job.store.replace(tables.INTERACTIONS, columns, where=region.where)
    _list_bots(job, records, region, funnel)
    return funnel.counts()


def _by_user(job: Job, records: DataFrame, funnel: Funnel) -> DataFrame:
    """The one shuffle, by user: it serves duplicates, bots and sessions alike."""
    if not _looks_for_crawlers(job):
        return funnel.count(records.drop("user_agent").repartition("user_id"), "accepted")
    marked = crawlers.mark_crawlers(records).repartition("user_id")
    reasons = crawlers.drop_reason_of_crawlers(funnel.count(marked, "accepted"))
    return funnel.drop(funnel.watch(reasons), [crawlers.CRAWLER])


def _of_people(job: Job, events: DataFrame, funnel: Funnel) -> DataFrame:
    """Without the days on which a user is a bot."""
    rules = job.settings.clean.bots
    if rules is None:
        return events
    return funnel.drop(funnel.watch(bots.mark_bots(events, rules)), bots.RULES)


def _list_bots(job: Job, records: DataFrame, region: cleaning.Region, funnel: Funnel) -> None:
    """Write silver.bots: a second look at the few buckets of users that hold a bot."""
    rules, buckets = job.settings.clean.bots, funnel.buckets()
    if rules is None or not (buckets or job.store.exists(tables.BOTS)):
        return
    again = Funnel(due=region.is_written)
    suspects = records.where(bucket_of("user_id").isin(buckets) if buckets else F.lit(False))
    marked = bots.mark_bots(_distinct(job, _by_user(job, suspects, again), again), rules)
    found = marked.select("user_id", "event_date", "drop_reason")
    if _looks_for_crawlers(job):
        agents = crawlers.drop_reason_of_crawlers(crawlers.mark_crawlers(suspects))
        found = found.unionByName(agents.select(*found.columns))
    listed = found.where(region.is_written & F.col("drop_reason").isNotNull())
    by_day = listed.groupBy("user_id", "event_date", F.col("drop_reason").alias("rule"))
    rows = by_day.agg(F.count(F.lit(1)).alias("n_events"))
    job.store.replace(tables.BOTS, rows, where=region.where)


def _looks_for_crawlers(job: Job) -> bool:
    rules = job.settings.clean.bots
    has_agents = any("user_agent" in source.columns for source in cleaning.event_sources(job))
    return rules is not None and rules.crawler_agents and has_agents


def _distinct(job: Job, rows: DataFrame, funnel: Funnel) -> DataFrame:
    if any("event_id" in source.columns for source in cleaning.event_sources(job)):
        rows = funnel.drop(deduplicate.mark_repeated_ids(rows), [deduplicate.DUPLICATE_ID])
    retry_seconds = job.settings.clean.retry_seconds
    repeats = deduplicate.mark_repeated_events(rows, retry_seconds=retry_seconds)
    once = funnel.drop(repeats, [deduplicate.DUPLICATE_EVENT, deduplicate.RETRY])
    return deduplicate.with_event_id(once)


def _in_sessions(job: Job, events: DataFrame, funnel: Funnel) -> DataFrame:
    """In sessions, and with enough support where that is asked for."""
    config = job.settings.clean
    sessions = add_sessions(events, config)
    least_user, least_item = config.min_user_events, config.min_item_events
    if max(least_user, least_item) > 1:
        marked = support.mark_low_support(sessions, min_user=least_user, min_item=least_item)
        sessions = funnel.drop(marked, [support.LOW_USER, support.LOW_ITEM])
    return funnel.count(sessions, "kept")


STEP = Step(
    name="clean",
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
    always=True,  # silver.batches knows what is new
)
