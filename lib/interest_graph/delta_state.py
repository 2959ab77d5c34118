"""What a Delta table holds by its log: columns and live files; no Spark job is needed to read it.

Delta Transaction Log Protocol: the newest checkpoint holds the state up to its version, and each
<version, 20 digits>.json after it what a commit added and removed. Of checkpoints the classic ones
are read, in one part or several, which is what the suite's tables have.
"""

from __future__ import annotations

import io
import json
import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any
from urllib.parse import unquote

import pyarrow.parquet as pq
from pyspark.sql import SparkSession

from interest_graph.delta_log import commit_path, versions_in
from interest_graph.filesystem import FileSystem

_CHECKPOINT = re.compile(r"^(\d{20})\.checkpoint(?:\.(\d{10})\.(\d{10}))?\.parquet$")
_COLUMNS = ("add", "remove", "metaData", "protocol", "txn")
# What the suite's tables need: no deletion vectors, column mapping or generated columns.
_READER, _WRITER = 1, 3

# Partition column -> values: the rows of these partitions; without any column all rows.
Partitions = Mapping[str, Collection[str]]


@dataclass(frozen=True)
class LiveFile:
    """A file of a table's newest version. key: its path as the log writes it, percent-encoded."""

    key: str
    size: int
    partition: dict[str, str]

    @property
    def path(self) -> str:
        """The path within the table's folder."""
        return unquote(self.key)


@dataclass(frozen=True)
class DeltaState:
    """A table at one version: names of its columns and its files.

    removed: by path within the folder when a file left the table, in milliseconds since 1970, as
    far as the log still tells.
    """

    version: int
    columns: tuple[str, ...]
    files: tuple[LiveFile, ...]
    removed: Mapping[str, int]

    @property
    def is_fragmented(self) -> bool:
        """Whether a partition has several files, which could be one."""
        places = Counter(tuple(sorted(file.partition.items())) for file in self.files)
        return any(n > 1 for n in places.values())

    def of(self, partitions: Partitions) -> list[LiveFile]:
        """The files of these partitions."""
        return [
            file
            for file in self.files
            if all(file.partition.get(name) in values for name, values in partitions.items())
        ]


def read_state(spark: SparkSession, location: str) -> DeltaState | None:
    """The table at its newest version.

    None where there is no table, or where more than this is needed to read and write it: features
    of later protocols, such as deletion vectors, checkpoints of another kind, or a gap in the log.
    """
    found = read_actions(spark, location)
    if found is None:
        return None
    version, actions = found
    replayed = _Actions()
    replayed.take(actions)
    return replayed.as_state(version)


def read_actions(
    spark: SparkSession, location: str
) -> tuple[int, Iterator[Mapping[str, Any]]] | None:
    """The table's newest version and all actions that lead to it, in order.

    They are those of the newest checkpoint and of the commits after it. None where there is no
    table, or where the log cannot be read so: checkpoints of another kind, or a gap.
    """
    files = FileSystem(spark)
    log = f"{location}/_delta_log"
    names = files.names(log)
    commits = versions_in(names)
    last = max(commits, default=-1)
    start, parts = _newest_checkpoint(names, last)
    due = [number for number in commits if start < number]
    if last < 0 or due != list(range(start + 1, last + 1)):
        return None
    of_checkpoint = (_of_checkpoint(files.read(f"{log}/{name}")) for name in parts)
    of_commits = (_of_commit(files.read(commit_path(location, number))) for number in due)
    return last, chain.from_iterable(chain(of_checkpoint, of_commits))


def sql_of(partitions: Partitions) -> str | None:
    """The partitions as a predicate in SQL; None for all rows."""
    terms = [
        f"{name} IN ({', '.join(repr(value) for value in sorted(values))})"
        for name, values in partitions.items()
    ]
    return " AND ".join(terms) or None


def _newest_checkpoint(names: Iterable[str], last: int) -> tuple[int, list[str]]:
    """Version and files of the newest whole checkpoint up to a version; -1 without one."""
    found: dict[tuple[int, int], list[str]] = defaultdict(list)
    for name in names:
        match = _CHECKPOINT.match(name)
        if match and int(match[1]) <= last:
            found[int(match[1]), int(match[3] or 1)].append(name)
    whole = [(number, parts) for (number, n), parts in found.items() if len(parts) == n]
    return max(whole, default=(-1, []))


def _of_checkpoint(content: bytes) -> Iterator[dict[str, Any]]:
    parquet = pq.ParquetFile(io.BytesIO(content))
    present = [name for name in _COLUMNS if name in parquet.schema_arrow.names]
    for row in parquet.read(present).to_pylist():
        for name in present:
            if row[name] is not None:
                yield {name: row[name]}


def _of_commit(content: bytes) -> Iterator[dict[str, Any]]:
    return (json.loads(line) for line in content.decode().splitlines() if line.strip())


class _Actions:
    """Replays actions in the order of their commits."""

    def __init__(self) -> None:
        self._files: dict[str, LiveFile] = {}
        self._removed: dict[str, int] = {}
        self._columns: tuple[str, ...] = ()
        self._is_plain = False

    def take(self, actions: Iterable[Mapping[str, Any]]) -> None:
        """Apply the actions of one commit or of a part of a checkpoint."""
        for action in actions:
            if "add" in action:
                self._add(action["add"])
            elif "remove" in action:
                remove = action["remove"]
                self._files.pop(remove["path"], None)
                self._removed[unquote(remove["path"])] = remove.get("deletionTimestamp") or 0
            elif "protocol" in action:
                needed = action["protocol"]
                versions = needed["minReaderVersion"], needed["minWriterVersion"]
                self._is_plain = versions[0] <= _READER and versions[1] <= _WRITER
            elif "metaData" in action:
                schema = json.loads(action["metaData"]["schemaString"])
                self._columns = tuple(field["name"] for field in schema["fields"])

    def _add(self, add: Mapping[str, Any]) -> None:
        partition = dict(add["partitionValues"] or {})  # a map is a list of pairs in Parquet
        self._files[add["path"]] = LiveFile(add["path"], add["size"], partition)

    def as_state(self, version: int) -> DeltaState | None:
        """The state that was reached; None if the log alone does not tell it."""
        if not (self._is_plain and self._columns):
            return None
        return DeltaState(version, self._columns, tuple(self._files.values()), self._removed)
