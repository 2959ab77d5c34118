"""What the ledger of input files says about files as listed now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC

from pyspark.sql import Row

from interest_graph.errors import DataError
from interest_graph.events.files import InputFile

PENDING, DONE = "pending", "done"


@dataclass(frozen=True)
class Work:
    """Files to take in: those of unfinished batches by batch, and new ones."""

    unfinished: dict[str, list[InputFile]]
    new: list[InputFile]
    abandoned: list[str]  # unfinished batches of which a file is gone or has changed

    @property
    def waiting(self) -> list[InputFile]:
        """Every file to take in."""
        return [*self.new, *(file for files in self.unfinished.values() for file in files)]


def plan_work(listed: Sequence[InputFile], ledger: Sequence[Row], *, mutable: set[str]) -> Work:
    """Compare the listing with the ledger's rows of the same sources.

    mutable: sources whose changed files are taken in again (attributes). A log file that has
    changed since raises DataError: its new records cannot be told from those already held.
    """
    present = {(file.source, file.path): file for file in listed}
    batches: dict[str, list[InputFile]] = {}
    for row in ledger:
        if row.status == PENDING:
            batches.setdefault(row.batch_id, []).extend(as_input_files([row]))
    unfinished = {
        batch: files
        for batch, files in batches.items()
        if all(present.get((file.source, file.path)) == file for file in files)
    }
    taken = {(file.source, file.path) for files in unfinished.values() for file in files}
    done = {
        (file.source, file.path): file
        for file in as_input_files([row for row in ledger if row.status == DONE])
    }
    _refuse_changed(
        [f for f in listed if done.get((f.source, f.path), f) != f and f.source not in mutable]
    )
    new = [
        f for f in listed if done.get((f.source, f.path)) != f and (f.source, f.path) not in taken
    ]
    return Work(unfinished, new, sorted(set(batches) - set(unfinished)))


def as_input_files(rows: Sequence[Row]) -> list[InputFile]:
    """The ledger's rows as files."""
    return [
        InputFile(row.source, row.path, row.size_bytes, row.modified_ts.replace(tzinfo=UTC))
        for row in rows
    ]


def _refuse_changed(changed: Sequence[InputFile]) -> None:
    if changed:
        raise DataError(
            "log files have changed since they were taken in; give new versions other names",
            len(changed),
            [file.name for file in changed],
        )
