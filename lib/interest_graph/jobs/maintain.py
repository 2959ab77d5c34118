"""All tables -> the same tables in fewer, larger files, without files that are no longer needed."""

from __future__ import annotations

from interest_graph import tables
from interest_graph.job import Job, Run


def run(run: Run) -> None:
    """OPTIMIZE and VACUUM every table that is there; rows stay as they are."""
    config = run.settings.maintain
    for table in tables.ALL_TABLES.values():
        if run.store.exists(table):
            with run.phase(f"maintaining {table.name}"):
                n_removed, n_added = run.store.compact(table)
                run.store.vacuum(table, hours=config.retention_hours)
            run.count(f"{table.name}.files_removed", n_removed)
            run.count(f"{table.name}.files_added", n_added)


JOB = Job(
    name="maintain",
    help="joins small files, removes old ones and old versions within the retention guard",
    run=run,
    settings=("maintain",),
    always=True,
)
