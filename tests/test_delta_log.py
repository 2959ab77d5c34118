"""What commits say of a table's rows, without Spark: a name of them, and whether they changed."""

from __future__ import annotations

import json

import pytest

from interest_graph import delta_log
from interest_graph.delta_log import (
    Commit,
    TableState,
    changes_since,
    commit_of,
    identity_of,
    note_of,
    parse_commit,
)

KEPT = TableState(7, "5-abc")


def lines(*actions):
    return "\n".join(json.dumps(action) for action in actions)


def add(path, **fields):
    return {"add": {"path": path, "dataChange": True, **fields}}


def info(operation, note=None, **metrics):
    return {
        "commitInfo": {
            "operation": operation,
            "userMetadata": note,
            "operationMetrics": {name: str(count) for name, count in metrics.items()},
        }
    }


def merged(n_inserted):
    counts = {"numTargetRowsUpdated": 0, "numTargetRowsDeleted": 0, "numTargetRowsCopied": 9}
    return info("MERGE", numTargetRowsInserted=n_inserted, **counts)


@pytest.mark.parametrize(
    "actions",
    [
        [info("VACUUM END")],
        [info("SET TBLPROPERTIES"), {"metaData": {"id": "t"}}],
        [info("OPTIMIZE"), add("b", dataChange=False)],
        [merged(0), add("copied"), {"remove": {"path": "a", "dataChange": True}}],
        [info("DELETE", note_of("run", KEPT)), {"remove": {"path": "old", "dataChange": True}}],
    ],
    ids=["vacuum", "property", "compaction", "merge of equal rows", "expiry"],
)
def test_upkeep_changes_no_rows(actions):
    assert parse_commit(8, lines(*actions)).change is None


@pytest.mark.parametrize(
    "actions",
    [
        [info("WRITE", numOutputRows=1), add("a")],
        [merged(1), add("a")],
        [info("MERGE"), add("a")],
        [info("DELETE", note_of("run")), {"remove": {"path": "a", "dataChange": True}}],
        [info("WRITE", note_of("run", KEPT)), add("a")],
        [{"add": {"path": "a"}}],
    ],
    ids=["write", "merge", "merge without counts", "delete", "write within an expiry", "bare"],
)
def test_anything_else_that_replaces_files_does(actions):
    assert parse_commit(8, lines(*actions)).change is not None


def test_a_change_is_named_by_its_files_in_any_order():
    one = parse_commit(1, lines(add("a"), add("b")))

    assert parse_commit(1, lines(info("WRITE"), add("b"), add("a"))) == one
    assert parse_commit(1, lines(add("a"), add("c"))).change != one.change


@pytest.mark.parametrize("note", [None, "", "by hand", "[1]", '{"kept": 1}', '{"kept": {}}'])
def test_a_note_of_another_writer_says_nothing(note):
    assert parse_commit(1, lines(info("DELETE", note))).kept is None


def test_of_a_history_only_upkeep_and_equal_rows_leave_the_identity():
    def entry(operation, note=None, **metrics):
        metrics = {name: str(count) for name, count in metrics.items()}
        return {
            "version": 3,
            "timestamp_ms": 99,
            "operation": operation,
            "operationMetrics": metrics,
            "userMetadata": note,
        }

    equal = dict.fromkeys(
        ("numTargetRowsInserted", "numTargetRowsUpdated", "numTargetRowsDeleted"), 0
    )
    assert commit_of(entry("OPTIMIZE", note_of("run", KEPT))) == Commit(3, None, KEPT)
    assert commit_of(entry("MERGE", **equal)) == Commit(3, None)
    assert commit_of(entry("MERGE", **equal | {"numTargetRowsUpdated": 2})) == Commit(3, "99")
    assert commit_of(entry("CREATE OR REPLACE TABLE AS SELECT")) == Commit(3, "99")


def log(*changes, oldest=0):
    """Commits, newest first. changes: oldest first; a state where the commit noted what it kept."""
    commits = [
        Commit(version, None, change) if isinstance(change, TableState) else Commit(version, change)
        for version, change in enumerate(changes, oldest)
    ]
    return commits[::-1]


def test_the_identity_is_the_last_commit_that_changed_rows():
    assert identity_of(log(None)) == "empty"
    assert identity_of(log(None, "a")) == "1-a"
    assert identity_of(log(None, "a", None, None)) == "1-a"
    assert identity_of(log(None, "a", None, "b")) == "3-b"


def test_upkeep_carries_the_identity_on_after_the_log_lost_the_change():
    assert identity_of(log(KEPT, oldest=8)) == "5-abc"
    assert identity_of(log(None, KEPT, KEPT, None, oldest=7)) == "5-abc"
    assert identity_of(log(None, None, oldest=8)) is None


def test_a_change_between_upkeep_and_what_it_looked_at_counts():
    assert identity_of(log("other", KEPT, oldest=8)) == "8-other"
    assert identity_of(log(KEPT, oldest=9)) is None


def test_changes_are_counted_as_far_as_the_log_tells():
    commits = log(None, "a", None, "b", "c")

    assert [changes_since(commits, version) for version in range(-1, 6)] == [3, 3, 2, 2, 1, 0, None]
    assert changes_since(commits[:2], 2) == 2
    assert changes_since(commits[:2], 1) is None
    assert (changes_since([], -1), changes_since([], 0)) == (0, None)


class Files:
    """Stands in for the file system: a log's files by name."""

    def __init__(self, *versions, gone=()):
        self.versions, self.gone = versions, gone

    def names(self, _folder):
        commits = [f"{version:020d}.json" for version in self.versions]
        return ["_last_checkpoint", f"{3:020d}.checkpoint.parquet", *commits, f"{9:020d}.crc"]

    def read(self, path):
        if int(path[-25:-5]) in self.gone:
            raise FileNotFoundError(path)
        return b""


@pytest.mark.parametrize(
    ("files", "seen"),
    [
        (Files(), []),
        (Files(0, 1, 2), [2, 1, 0]),
        (Files(0, 4, 5), [5, 4]),
        (Files(3, 4, 5, gone=[3]), [5, 4]),
    ],
    ids=["no table", "whole", "gap", "cleaned up meanwhile"],
)
def test_commits_are_read_newest_first_up_to_the_first_that_is_missing(monkeypatch, files, seen):
    monkeypatch.setattr(delta_log, "FileSystem", lambda _spark: files)

    assert [commit.version for commit in delta_log.read_commits(None, "t")] == seen
