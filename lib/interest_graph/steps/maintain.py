"""Every table -> the same table in fewer, larger files; files that nobody needs are removed."""

from __future__ import annotations

from interest_graph import tables
from interest_graph.job import Job, Step


def run(job: Job) -> None:
    """OPTIMIZE and VACUUM every table that is there; rows stay as they are."""
    config = job.settings.maintain
    for table in tables.ALL_TABLES.values():
        if job.store.exists(table):
            with job.phase(f"maintaining {table.name}"):
                n_removed, n_added = job.store.compact(table)
                job.store.vacuum(table, hours=config.retention_hours)
            job.count(f"{table.name}.files_removed", n_removed)
            job.count(f"{table.name}.files_added", n_added)


STEP = Step(name="maintain", run=run, settings=("maintain",), always=True)
