"""Files -> bronze.events, bronze.files, silver.users, silver.items, silver.social_edges.

Each file is ingested exactly once, also after crashes: first the files of a batch are entered in
the ledger (bronze.files) as pending, then the batch's partition of bronze.events is replaced, then
the files are marked as done. A run first finishes pending batches of earlier runs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pyspark.sql import functions as F

from interest_graph import tables
from interest_graph.config import SourceConfig
from interest_graph.errors import ConfigError
from interest_graph.events.clean_records import map_work, n_parts
from interest_graph.events.inspection import inspect_files, list_files
from interest_graph.events.map_task import OF_ORIGIN, MapWork
from interest_graph.events.reading import Input
from interest_graph.events.sources import InputFile, batch_id, plan_work, shape_of
from interest_graph.events.spark_rules import places_of
from interest_graph.events.work_plan import text_bytes
from interest_graph.job import Job, Run
from interest_graph.jobs.ingest import batch_writer
from interest_graph.session import interpreting

_BYTES_OF_RECORD = 100  # of a log, about


def run(run: Run) -> None:
    """Ingest every file that the ledger does not list as done."""
    sources = {source.name: source for source in run.settings.sources}
    if not sources:
        raise ConfigError("sources", "no source is configured")
    with interpreting(run.spark):
        _run(run, sources)


def _run(run: Run, sources: Mapping[str, SourceConfig]) -> None:
    with run.phase("listing files"):
        run.store.upgrade(tables.FILES, {"settings": F.lit(None).cast("string")})
        run.store.upgrade(tables.QUARANTINE, {"kind": F.lit("events")})
        listed = [file for source in sources.values() for file in list_files(run.spark, source)]
        mutable = {source.name for source in sources.values() if source.kind != "events"}
        shapes = {source.name: shape_of(source) for source in sources.values()}
        known = batch_writer.ledger_rows(run)
        work = plan_work(listed, known, mutable=mutable, shapes=shapes, force=run.force)
        # Inspects every file, so that a missing column fails the job before any table is written.
        inputs = _inspected(run, sources, work.waiting)
    for batch in work.abandoned:
        batch_writer.abandon(run, batch)
    batch_writer.forget(run, work.reshaped - mutable)
    batches = dict(work.unfinished)
    if work.new:
        batch = batch_id(work.new, shapes)
        batches[batch] = batch_writer.claim(run, batch, work.new, known, shapes)
    clean = _work_of_clean(run, work.waiting)
    n_records = sum(
        _take_in(run, batch, held, inputs, shapes, clean) for batch, held in batches.items()
    )
    run.count("records", n_records)
    run.count("files", len(listed))
    run.count("new_files", len(work.waiting))
    run.count("empty_files", len(work.waiting) - sum(len(some.layouts) for some in inputs))


def _inspected(
    run: Run, sources: Mapping[str, SourceConfig], files: Sequence[InputFile]
) -> list[Input]:
    by_source = {name: [f for f in files if f.source == name] for name in sources}
    return [
        Input(source, inspect_files(run.spark, source, by_source[name]))
        for name, source in sources.items()
    ]


def _take_in(
    run: Run,
    batch: str,
    files: Sequence[InputFile],
    inputs: Sequence[Input],
    shapes: Mapping[str, str],
    clean: MapWork | None,
) -> int:
    """Take in the files of a batch; returns the number of event records."""
    mine = [part for some in inputs if (part := some.only(files)).layouts]
    n_rows: dict[str, int] = {}
    events = [part for part in mine if part.source.kind == "events"]
    if events:
        with run.phase("taking in records"):
            n_rows |= batch_writer.write_events(run, batch, events, clean)
    n_records = sum(n_rows.values())
    for kind in batch_writer.ATTRIBUTES:
        parts = [part for part in mine if part.source.kind == kind]
        if parts:
            with run.phase(f"taking in {kind}"):
                n_rows |= batch_writer.merge_attributes(run, kind, batch, parts)
    batch_writer.finish_batch(run, batch, files, n_rows, shapes)
    return n_records


def _work_of_clean(run: Run, files: Sequence[InputFile]) -> MapWork | None:
    """What the clean job would do with the records, where it is to follow and needs nothing else.

    Fitted caps and merged items come from tables that are not there yet; rules of Spark need the
    records in a frame.
    """
    clean = run.settings.clean
    needs_more = clean.fitted_caps or clean.same_items or places_of(clean)
    if run.handover is None or needs_more or not files:
        return None
    quarantine = run.store.files_of(tables.QUARANTINE, coded=OF_ORIGIN)
    if quarantine is None:
        return None
    n_events = text_bytes(files) // _BYTES_OF_RECORD
    parts = n_parts(run.spark, n_events)
    return map_work(run.settings, run.as_of, parts=parts, quarantine=quarantine)


JOB = Job(
    name="ingest",
    help="takes in new files of the configured sources, each once",
    run=run,
    writes=(tables.EVENTS, tables.FILES, tables.USERS, tables.ITEMS, tables.SOCIAL_EDGES),
    settings=("sources",),
    is_stage=True,
    always=True,  # the ledger knows what is new
    is_light=True,
)
