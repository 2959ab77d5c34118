"""What a Delta table's log says of its data, read from the log's files without a Spark job.

Delta Transaction Log Protocol: <version, 20 digits>.json holds a commit, one action a line. `add`
and `remove` say with `dataChange` whether rows changed: OPTIMIZE writes false, and VACUUM,
properties and constraints write neither.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

from pyspark.sql import SparkSession

from interest_graph.filesystem import FileSystem
from interest_graph.identity import digest

EXPIRY = "expiry"  # key of a commit's userMetadata: only superseded rows were removed

_COMMIT = re.compile(r"^(\d{20})\.json$")


@dataclass(frozen=True)
class Commit:
    """A commit as far as identity goes: the files that changed rows, and whether rows expired."""

    version: int
    changed: tuple[str, ...]
    is_expiry: bool = False

    @property
    def changes_data(self) -> bool:
        """Whether a reader of the newest rows would see a difference."""
        return bool(self.changed) and not self.is_expiry


def commit_versions(spark: SparkSession, location: str) -> list[int]:
    """The versions whose commits are still in the log, ascending; none where there is no table."""
    names = FileSystem(spark).names(f"{location}/_delta_log")
    return [int(found.group(1)) for name in names if (found := _COMMIT.match(name))]


def read_commit(spark: SparkSession, location: str, version: int) -> Commit:
    """One commit of the log."""
    path = f"{location}/_delta_log/{version:020d}.json"
    return parse_commit(version, FileSystem(spark).read(path).decode())


def parse_commit(version: int, text: str) -> Commit:
    """The commit behind the lines of its file."""
    changed, is_expiry = [], False
    for line in text.splitlines():
        action = json.loads(line) if line.strip() else {}
        for kind in ("add", "remove"):
            file = action.get(kind)
            if file and file.get("dataChange"):
                changed.append(f"{kind} {file['path']}")
        if "commitInfo" in action:
            is_expiry = marks_expiry(action["commitInfo"].get("userMetadata"))
    return Commit(version, tuple(changed), is_expiry)


def marks_expiry(user_metadata: str | None) -> bool:
    """Whether a commit's userMetadata says that it only removed superseded rows."""
    try:
        note = json.loads(user_metadata or "{}")
    except ValueError:
        return False  # another writer's note
    return isinstance(note, dict) and bool(note.get(EXPIRY))


def data_identity(spark: SparkSession, location: str, versions: Sequence[int]) -> str:
    """A name of the table's data: it changes with the rows, and with nothing else.

    It is the last commit that changed rows: its version and a digest of the files that it added
    and removed, which have random names, so that a table dropped and made anew is another one. A
    digest of the live rows would need a scan, one of the live files changes with compaction. Where
    the log's clean-up took that commit (after delta.logRetentionDuration, 30 days unless set) the
    live files stand in: then the next compaction makes the table look new, once.
    versions: of `commit_versions`; at least one.
    """
    for version in reversed(versions):
        commit = read_commit(spark, location, version)
        if commit.changes_data:
            return f"{version}-{digest(sorted(commit.changed), 12)}"
    if versions[0] == 0:
        return "empty"
    files = spark.read.format("delta").load(location).inputFiles()
    return f"files-{digest(sorted(name.rsplit('/', 1)[-1] for name in files), 12)}"


def has_changed_since(
    spark: SparkSession, location: str, versions: Sequence[int], version: int
) -> bool:
    """Whether rows changed after `version`; true where the log no longer tells."""
    later = [number for number in versions if number > version]
    is_whole = len(later) == max(versions, default=-1) - version
    return not is_whole or any(read_commit(spark, location, n).changes_data for n in later)
