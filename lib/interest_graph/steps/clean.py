"""bronze.events -> silver.interactions, silver.quarantine, silver.batches: facts out of records.

What silver.interactions holds is a function of the set of bronze records: a run writes the days
that its new records act on, whole, out of all records of those days. A crash between two of its
writes leaves work that the next run does again with the same result.
"""

from __future__ import annotations

from pyspark.sql import DataFrame

from interest_graph import tables
from interest_graph.events import bots, deduplicate, support
from interest_graph.events.funnel import Funnel
from interest_graph.events.sessionise import add_sessions
from interest_graph.events.typed import type_events
from interest_graph.events.validate import Rule, accepted
from interest_graph.job import Job, Step
from interest_graph.steps import cleaning


def run(job: Job) -> None:
    """Clean the batches that silver.interactions does not account for yet."""
    batches = cleaning.batches_to_clean(job)
    if not batches.new:
        cleaning.count_nothing(job)
        return
    rules = cleaning.rules_of(job)
    typed = type_events(job.read(tables.EVENTS), cleaning.event_sources(job))
    with job.phase("refusing records"):
        seen = cleaning.write_refused(job, typed, rules, batches)
    region = cleaning.region_of(job, batches, seen)
    funnel = Funnel(due=region.is_written)
    with job.phase("cleaning"):
        facts = _facts(job, region.select(typed), rules, region, funnel)
        job.store.replace(tables.INTERACTIONS, facts, where=region.where)
    cleaning.settle(job, batches, seen, funnel.counts())


def _facts(
    job: Job, records: DataFrame, rules: list[Rule], region: cleaning.Region, funnel: Funnel
) -> DataFrame:
    """Distinct events of people, in sessions. One shuffle, by user, carries all of it."""
    config = job.settings.clean
    valid = accepted(records, rules, config).where(region.is_read).repartition("user_id")
    rows = funnel.count(valid, "accepted")
    if any("event_id" in source.columns for source in cleaning.event_sources(job)):
        rows = funnel.drop(deduplicate.mark_repeated_ids(rows), [deduplicate.DUPLICATE_ID])
    repeats = deduplicate.mark_repeated_events(rows, retry_seconds=config.retry_seconds)
    rows = funnel.drop(repeats, [deduplicate.DUPLICATE_EVENT, deduplicate.RETRY])
    rows = deduplicate.with_event_id(rows)
    if config.bots is not None:
        rows = funnel.drop(bots.mark_bots(rows, config.bots), bots.RULES)
    sessions = add_sessions(rows, config)
    least_user, least_item = config.min_user_events, config.min_item_events
    if max(least_user, least_item) > 1:
        marked = support.mark_low_support(sessions, min_user=least_user, min_item=least_item)
        sessions = funnel.drop(marked, [support.LOW_USER, support.LOW_ITEM])
    kept = funnel.count(sessions, "kept").where(region.is_written)
    return kept.select(*tables.INTERACTIONS.column_names)


STEP = Step(
    name="clean",
    run=run,
    reads=(tables.EVENTS, tables.FILES),
    writes=(tables.INTERACTIONS, tables.QUARANTINE, tables.BATCHES),
    settings=("clean", "sources"),
    always=True,  # silver.batches knows what is new
)
