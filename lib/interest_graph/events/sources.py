"""Input files, compared with the ledger.

The ledger is the table bronze.files: which files have been taken in, and in which batch.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from pyspark.sql import Row

from interest_graph.config import SourceConfig
from interest_graph.errors import ConfigError, DataError
from interest_graph.identity import digest


@dataclass(frozen=True, order=True)
class InputFile:
    """One listed file. path: the URI that Spark gives as `_metadata.file_path` of its rows."""

    source: str
    path: str
    size_bytes: int
    modified_ts: datetime

    @property
    def name(self) -> str:
        """The path without the scheme of local files, for messages."""
        return self.path.removeprefix("file:")


def batch_id(files: Iterable[InputFile], shapes: Mapping[str, str]) -> str:
    """Digest of the listed files and of how they are read: the same give the same batch."""
    entries = [
        (f.source, f.path, f.size_bytes, f.modified_ts.isoformat(), shapes[f.source])
        for f in sorted(set(files))
    ]
    return digest(entries, 16)


def shape_of(source: SourceConfig) -> str:
    """Digest of the settings that shape a source's records in bronze, or its rows of attributes."""
    tree = source.model_dump(mode="json", exclude={"name", "path", "action", "actions", "time"})
    return digest(tree, 12)


PENDING, DONE = "pending", "done"
VECTOR = "#dv="  # before the id of a deletion vector, in the path of a Delta table's file


@dataclass(frozen=True)
class Work:
    """Files to take in. unfinished: batch -> files, of batches that were begun; new: the others.

    abandoned: unfinished batches of which a file is gone or has changed; reshaped: sources whose
    files are taken in again because settings have changed.
    """

    unfinished: dict[str, list[InputFile]]
    new: list[InputFile]
    abandoned: list[str]
    reshaped: set[str]

    @property
    def waiting(self) -> list[InputFile]:
        """Every file to take in."""
        return [*self.new, *(file for files in self.unfinished.values() for file in files)]


def plan_work(
    listed: Sequence[InputFile],
    ledger: Sequence[Row],
    *,
    mutable: set[str],
    shapes: Mapping[str, str],
    force: bool = False,
) -> Work:
    """Compare the listed files with the ledger's rows of the same sources.

    mutable: names of sources whose changed files are taken in again (attributes); shapes: digest of
    the settings by source; force: take in again what other settings have shaped. Raises DataError
    for a changed file of any other source (logs), whose new records cannot be told from those that
    were taken in before, and ConfigError for changed settings of one.
    """
    present = {(file.source, file.path): file for file in listed}
    batches: dict[str, list[InputFile]] = {}
    for row in ledger:
        if row.status == PENDING:
            batches.setdefault(row.batch_id, []).extend(as_input_files([row]))
    reshaped = _reshaped(ledger, shapes, mutable if not force else shapes.keys())
    unfinished = {
        batch: files
        for batch, files in batches.items()
        if all(present.get((f.source, f.path)) == f and f.source not in reshaped for f in files)
    }
    taken = {(file.source, file.path) for files in unfinished.values() for file in files}
    done = {
        (file.source, file.path): file
        for file in as_input_files([row for row in ledger if row.status == DONE])
    }
    logs = [f for f in listed if f.source not in mutable]
    _refuse_changed([f for f in logs if done.get((f.source, f.path), f) != f])
    # What a deletion vector leaves of a log's data file was taken in with the whole file.
    read = {(source, _data_file(path)) for source, path in done if source not in mutable}
    new = [
        f
        for f in listed
        if (f.source, f.path) not in taken
        and (f.source in reshaped or done.get((f.source, f.path)) != f)
        and (f.source in reshaped or (f.source, _data_file(f.path)) not in read)
    ]
    return Work(unfinished, new, sorted(set(batches) - set(unfinished)), reshaped)


def _data_file(path: str) -> str:
    return path.partition(VECTOR)[0]


def _reshaped(
    ledger: Sequence[Row], shapes: Mapping[str, str], may_change: Collection[str]
) -> set[str]:
    """Sources of which files were taken in with other settings."""
    changed = {row.source for row in ledger if row.settings not in (None, shapes[row.source])}
    refused = sorted(changed - set(may_change))
    if refused:
        n_files = sum(row.source == refused[0] for row in ledger)
        problem = (
            f"how records are read has changed since {n_files} files were taken in; "
            "ingest --force takes them in again"
        )
        raise ConfigError(f"sources.{refused[0]}", problem)
    return changed


def as_input_files(rows: Sequence[Row]) -> list[InputFile]:
    """Rows of the ledger as InputFiles."""
    # PySpark gives times without a zone, in that of this machine.
    return [
        InputFile(row.source, row.path, row.size_bytes, row.modified_ts.astimezone(UTC))
        for row in rows
    ]


def require_unchanged(taken_in: Iterable[InputFile], listed: Iterable[InputFile]) -> None:
    """Raise DataError for files that are not listed any more as they were taken in."""
    lost = sorted(set(taken_in) - set(listed))
    if lost:
        problem = "files of a source with bronze: reference have changed or are gone"
        raise DataError(problem, len(lost), [file.name for file in lost])


def _refuse_changed(changed: Sequence[InputFile]) -> None:
    if changed:
        raise DataError(
            "log files have changed since they were taken in; give new versions other names",
            len(changed),
            [file.name for file in changed],
        )
