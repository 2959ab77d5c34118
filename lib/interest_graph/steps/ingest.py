"""Files -> bronze.events, bronze.files, silver.users, silver.items, silver.social_edges.

Exactly once, whatever crashes: the ledger names the files of a batch as pending before any of
their records is written, the records replace the batch's partition, and only then the ledger says
done. A run begins with the unfinished batches of earlier ones.
"""

from __future__ import annotations

from collections.abc import Sequence

from interest_graph import tables
from interest_graph.config import SourceConfig
from interest_graph.errors import ConfigError
from interest_graph.events.files import InputFile, batch_id, list_files
from interest_graph.events.layouts import Layout, layouts_of
from interest_graph.events.ledger import plan_work
from interest_graph.job import Job, Step
from interest_graph.session import interpreting
from interest_graph.steps import intake

_SMALL_BYTES = 8 << 20  # of files, compressed ones as they are


def run(job: Job) -> None:
    """Take in every file that the ledger does not hold."""
    sources = {source.name: source for source in job.settings.sources}
    if not sources:
        raise ConfigError("sources", "no source is configured")
    with job.phase("listing files"), interpreting(job.spark):
        listed = [file for source in sources.values() for file in list_files(job.spark, source)]
        mutable = {source.name for source in sources.values() if source.kind != "events"}
        known = intake.ledger_rows(job)
        work = plan_work(listed, known, mutable=mutable)
        # Looks into every file: a missing column stops the job before any table is touched.
        layouts = _layouts(job, sources, work.waiting)
    is_small = sum(file.size_bytes for file in work.waiting) < _SMALL_BYTES
    with interpreting(job.spark, small=is_small):
        for batch in work.abandoned:
            intake.abandon(job, batch)
        batches = dict(work.unfinished)
        if work.new:
            batch = batch_id(work.new)
            batches[batch] = intake.claim(job, batch, work.new, known)
        n_records = sum(_take_in(job, batch, files, layouts) for batch, files in batches.items())
    job.count("records", n_records)
    job.count("files", len(listed))
    job.count("new_files", len(work.waiting))
    job.count("empty_files", len(work.waiting) - sum(len(layout.files) for _, layout in layouts))


def _layouts(
    job: Job, sources: dict[str, SourceConfig], files: Sequence[InputFile]
) -> list[tuple[SourceConfig, Layout]]:
    return [
        (source, layout)
        for name, source in sources.items()
        for layout in layouts_of(job.spark, source, [file for file in files if file.source == name])
    ]


def _take_in(
    job: Job,
    batch: str,
    files: Sequence[InputFile],
    layouts: Sequence[tuple[SourceConfig, Layout]],
) -> int:
    mine = [
        (source, part) for source, layout in layouts if (part := layout.only(files)) is not None
    ]
    events = [(source, part) for source, part in mine if source.kind == "events"]
    n_records: dict[str, int] = {}
    if events:
        with job.phase("taking in records"):
            n_records = intake.write_events(job, batch, events)
    for kind in intake.ATTRIBUTES:
        parts = [(source, part) for source, part in mine if source.kind == kind]
        if parts:
            with job.phase(f"taking in {kind}"):
                intake.merge_attributes(job, kind, parts)
    return intake.settle(job, batch, files, mine, n_records)


STEP = Step(
    name="ingest",
    run=run,
    writes=(tables.EVENTS, tables.FILES, tables.USERS, tables.ITEMS, tables.SOCIAL_EDGES),
    settings=("sources",),
    always=True,  # the ledger knows what is new
)
