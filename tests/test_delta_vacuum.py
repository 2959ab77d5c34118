"""Which files of a table's folder go, and which stay."""

from __future__ import annotations

import os
import time

import pytest

from interest_graph.delta_state import DeltaState, LiveFile
from interest_graph.delta_vacuum import vacuum_folder

NOW = time.time()
HOUR = 3600


@pytest.fixture
def folder(tmp_path):
    """Makes files: make("day=1/a.parquet", hours_ago)."""

    def make(name, hours_ago):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("x")
        file.with_name(f".{file.name}.crc").write_text("x")
        for path in (file, file.parent):
            os.utime(path, (NOW - hours_ago * HOUR,) * 2)
        return file

    make.path = tmp_path
    return make


def state(live=(), removed=()):
    files = tuple(LiveFile(name.replace(" ", "%20"), 1, {}) for name in live)
    moments = {name: int((NOW - ago * HOUR) * 1000) for name, ago in removed}
    return DeltaState(3, ("a",), files, moments)


def left(folder):
    return sorted(p.relative_to(folder.path).as_posix() for p in folder.path.rglob("*.parquet"))


def test_only_old_files_that_no_version_needs_go(folder):
    folder("day=1/live.parquet", 100)
    folder("day=1/with blank.parquet", 100)
    folder("day=2/left just now.parquet", 100)
    folder("day=2/left long ago.parquet", 100)
    folder("day=3/never committed.parquet", 100)
    folder("day=3/being written.parquet", 1)
    folder("_delta_log/00000000000000000002.checkpoint.parquet", 100)
    held = state(
        ["day=1/live.parquet", "day=1/with blank.parquet"],
        [("day=2/left just now.parquet", 2), ("day=2/left long ago.parquet", 50)],
    )

    assert vacuum_folder(folder.path, held, hours=24) == 2

    assert left(folder) == [
        "_delta_log/00000000000000000002.checkpoint.parquet",
        "day=1/live.parquet",
        "day=1/with blank.parquet",
        "day=2/left just now.parquet",
        "day=3/being written.parquet",
    ]
    assert not (folder.path / "day=2/.left long ago.parquet.crc").exists()
    assert (folder.path / "day=2/.left just now.parquet.crc").exists()


def test_folders_of_partitions_go_with_their_last_file(folder):
    file = folder("day=1/hour=2/a.parquet", 100)
    folder("day=2/b.parquet", 100)

    vacuum_folder(folder.path, state(["day=2/b.parquet"]), hours=0)

    assert not file.parent.exists()
    assert left(folder) == ["day=2/b.parquet"]


def test_a_table_is_fragmented_when_a_partition_has_several_files():
    def of(*days):
        files = tuple(LiveFile(f"{n}", 1, {"day": day}) for n, day in enumerate(days))
        return DeltaState(1, ("a",), files, {})

    assert [of().is_fragmented, of("1", "2").is_fragmented, of("1", "1").is_fragmented] == [
        False,
        False,
        True,
    ]
