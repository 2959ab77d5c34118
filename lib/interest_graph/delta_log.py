"""What the commits of a Delta table say of its rows; no Spark job is needed to read them.

Delta Transaction Log Protocol: <version, 20 digits>.json holds a commit, one action a line. `add`
and `remove` say with `dataChange` whether rows changed: OPTIMIZE writes false, and VACUUM,
properties and constraints write neither. Of a table in a catalog only the history can be asked.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from itertools import count
from typing import Any

from pyspark.sql import Row, SparkSession

from interest_graph.filesystem import FileSystem
from interest_graph.identity import digest

EMPTY = "empty"  # identity of a table that never held a row

_KEPT = "kept"  # key in a commit's userMetadata
_COMMIT = re.compile(r"^(\d{20})\.json$")
# Operations in a table's history that leave its rows as they are; any other counts as a change.
_MAINTENANCE = (
    "ADD CONSTRAINT",
    "ADD FEATURE",
    "CLUSTER BY",
    "COMPUTE STATS",
    "CREATE TABLE",
    "DROP CONSTRAINT",
    "DROP FEATURE",
    "OPTIMIZE",
    "REORG",
    "SET TBLPROPERTIES",
    "UNSET TBLPROPERTIES",
    "UPDATE COLUMN METADATA",
    "UPGRADE PROTOCOL",
    "VACUUM END",
    "VACUUM START",
)
# Rewritten files need not hold other rows: MERGE copies those that it finds equal.
_ROWS_CHANGED = {
    "MERGE": ("numTargetRowsInserted", "numTargetRowsUpdated", "numTargetRowsDeleted"),
    "UPDATE": ("numUpdatedRows",),
    "DELETE": ("numDeletedRows",),
}


@dataclass(frozen=True)
class TableState:
    """A table at one moment: its newest Delta version, and a name of the rows that it holds."""

    version: int
    identity: str


ABSENT = TableState(-1, "")


@dataclass(frozen=True)
class Commit:
    """A commit as far as identity goes.

    change: a name of what it did to the rows; null where readers of the newest ones see no
    difference. kept: the state of the table before it, where its writer noted that.
    """

    version: int
    change: str | None
    kept: TableState | None = None


def note_of(run_id: str | None, kept: TableState | None = None) -> str:
    """The userMetadata of a commit. kept: for a commit that no reader of the newest rows notices.

    It carries the identity on: the commit that changed rows last may leave the log.
    """
    note: dict[str, Any] = {} if run_id is None else {"run_id": run_id}
    return json.dumps(note if kept is None else {**note, _KEPT: asdict(kept)})


def commit_versions(spark: SparkSession, location: str) -> list[int]:
    """The versions whose commits are still in the log, ascending; none where there is no table."""
    return versions_in(FileSystem(spark).names(f"{location}/_delta_log"))


def versions_in(names: Iterable[str]) -> list[int]:
    """The versions of the commits among the names of a log's files, ascending."""
    return sorted(int(found.group(1)) for name in names if (found := _COMMIT.match(name)))


def commit_path(location: str, version: int) -> str:
    """The file of a commit."""
    return f"{location}/_delta_log/{version:020d}.json"


def read_commits(spark: SparkSession, location: str) -> Iterator[Commit]:
    """The commits that are still in the log, newest first, without a gap; each read when due."""
    versions = commit_versions(spark, location)
    expected = count(versions[-1], -1) if versions else ()
    for version, due in zip(reversed(versions), expected, strict=False):
        if version != due:
            return
        path = commit_path(location, version)
        try:
            text = FileSystem(spark).read(path).decode()
        except FileNotFoundError:  # the log's clean-up took it just now
            return
        yield parse_commit(version, text)


def parse_commit(version: int, text: str) -> Commit:
    """The commit behind the lines of its file.

    A change is named by the files added and removed: their names are random, so that a table
    dropped and made anew has other changes.
    """
    changed: list[str] = []
    info: dict[str, Any] = {}
    for line in filter(str.strip, text.splitlines()):
        action = json.loads(line)
        info = action.get("commitInfo", info)
        for kind in ("add", "remove"):
            file = action.get(kind)
            if file and file.get("dataChange", True):
                changed.append(f"{kind} {file['path']}")
    operation, kept = info.get("operation"), _kept_by(info.get("userMetadata"))
    if _leaves_rows(operation, info.get("operationMetrics") or {}, kept):
        changed = []
    return Commit(version, digest(sorted(changed), 12) if changed else None, kept)


def commit_of(entry: Row) -> Commit:
    """The commit behind a row of a table's history; a change is named by its moment.

    entry: version, timestamp_ms, operation, operationMetrics, userMetadata.
    """
    kept, operation = _kept_by(entry["userMetadata"]), entry["operation"]
    is_change = operation not in _MAINTENANCE and not _leaves_rows(
        operation, entry["operationMetrics"] or {}, kept
    )
    return Commit(entry["version"], str(entry["timestamp_ms"]) if is_change else None, kept)


def identity_of(commits: Iterable[Commit]) -> str | None:
    """A name of a table's rows: it changes with them, and with nothing else.

    It names the last commit that changed rows. A digest of the rows would need a scan, one of the
    live files would change when they are joined. Returns None where the log's clean-up (after
    delta.logRetentionDuration, 30 days unless set) took that commit and no later one noted what
    it kept. commits: newest first, without a gap; at least one.
    """
    kept, oldest = None, 0
    for commit in commits:
        if commit.change is not None:
            return f"{commit.version}-{commit.change}"
        kept, oldest = kept or commit.kept, commit.version
        # What was committed between the note's state and the note itself counts.
        if kept is not None and kept.version >= oldest - 1:
            return kept.identity
    return EMPTY if oldest == 0 else None


def changes_since(commits: Iterable[Commit], version: int) -> int | None:
    """How many commits changed rows after `version`; None where the log does not tell.

    commits: newest first, without a gap. version: -1 for a table that was not there.
    """
    newest, oldest, n_changes = -1, 0, 0
    for commit in commits:
        newest = max(newest, commit.version)
        if commit.version <= version:
            break
        oldest, n_changes = commit.version, n_changes + (commit.change is not None)
    if newest < version:
        return None  # dropped since, and perhaps made anew
    return n_changes if newest == version or oldest == version + 1 else None


def _kept_by(user_metadata: str | None) -> TableState | None:
    try:
        kept = json.loads(user_metadata or "{}")[_KEPT]
        return TableState(int(kept["version"]), str(kept["identity"]))
    except (ValueError, TypeError, KeyError):
        return None  # another writer's note, or none


def _leaves_rows(
    operation: str | None, metrics: Mapping[str, str], kept: TableState | None
) -> bool:
    """Whether a commit that replaced files left the newest rows as they were."""
    if operation == "DELETE" and kept is not None:
        return True  # superseded rows expired
    counts = [metrics.get(name) for name in _ROWS_CHANGED.get(operation or "", ())]
    return bool(counts) and all(count == "0" for count in counts)
