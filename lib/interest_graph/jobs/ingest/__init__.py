"""Files -> bronze.events, bronze.files, silver.users, silver.items, silver.social_edges.

Each file is ingested exactly once, also after crashes: first the files of a batch are entered in
the ledger (bronze.files) as pending, then the batch's partition of bronze.events is replaced, then
the files are marked as done. A run first finishes pending batches of earlier runs.
"""

from __future__ import annotations

from collections.abc import Sequence

from interest_graph import tables
from interest_graph.config import SourceConfig
from interest_graph.errors import ConfigError
from interest_graph.events.source_schema import SourceSchema, source_schemas
from interest_graph.events.sources import InputFile, batch_id, list_files, plan_work
from interest_graph.job import Job, Run
from interest_graph.jobs.ingest import batch_writer
from interest_graph.session import interpreting

_SMALL_BYTES = 8 << 20  # of files, compressed ones as they are


def run(run: Run) -> None:
    """Ingest every file that the ledger does not list as done."""
    sources = {source.name: source for source in run.settings.sources}
    if not sources:
        raise ConfigError("sources", "no source is configured")
    with run.phase("listing files"), interpreting(run.spark):
        listed = [file for source in sources.values() for file in list_files(run.spark, source)]
        mutable = {source.name for source in sources.values() if source.kind != "events"}
        known = batch_writer.ledger_rows(run)
        work = plan_work(listed, known, mutable=mutable)
        # Inspects every file, so that a missing column fails the job before any table is written.
        schemas = _source_schemas(run, sources, work.waiting)
    is_small = sum(file.size_bytes for file in work.waiting) < _SMALL_BYTES
    with interpreting(run.spark, small=is_small):
        for batch in work.abandoned:
            batch_writer.abandon(run, batch)
        batches = dict(work.unfinished)
        if work.new:
            batch = batch_id(work.new)
            batches[batch] = batch_writer.claim(run, batch, work.new, known)
        n_records = sum(_take_in(run, batch, files, schemas) for batch, files in batches.items())
    run.count("records", n_records)
    run.count("files", len(listed))
    run.count("new_files", len(work.waiting))
    run.count("empty_files", len(work.waiting) - sum(len(schema.files) for _, schema in schemas))


def _source_schemas(
    run: Run, sources: dict[str, SourceConfig], files: Sequence[InputFile]
) -> list[tuple[SourceConfig, SourceSchema]]:
    return [
        (source, schema)
        for name, source in sources.items()
        for schema in source_schemas(
            run.spark, source, [file for file in files if file.source == name]
        )
    ]


def _take_in(
    run: Run,
    batch: str,
    files: Sequence[InputFile],
    schemas: Sequence[tuple[SourceConfig, SourceSchema]],
) -> int:
    mine = [
        (source, part) for source, schema in schemas if (part := schema.only(files)) is not None
    ]
    events = [(source, part) for source, part in mine if source.kind == "events"]
    n_records: dict[str, int] = {}
    if events:
        with run.phase("taking in records"):
            n_records = batch_writer.write_events(run, batch, events)
    for kind in batch_writer.ATTRIBUTES:
        parts = [(source, part) for source, part in mine if source.kind == kind]
        if parts:
            with run.phase(f"taking in {kind}"):
                batch_writer.merge_attributes(run, kind, parts)
    return batch_writer.finish_batch(run, batch, files, mine, n_records)


JOB = Job(
    name="ingest",
    help="takes in new files of the configured sources, each once",
    run=run,
    writes=(tables.EVENTS, tables.FILES, tables.USERS, tables.ITEMS, tables.SOCIAL_EDGES),
    settings=("sources",),
    is_stage=True,
    always=True,  # the ledger knows what is new
)
