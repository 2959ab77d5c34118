"""Tasks of attributes: records to parts, parts to files or rows of the table."""

from __future__ import annotations

import json
from functools import partial

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from interest_graph.config import SourceConfig
from interest_graph.events import task_rows
from interest_graph.events.attribute_task import (
    MERGED,
    AttributeWork,
    merge_rows,
    send_files,
    send_rows,
    shape_records,
)
from interest_graph.events.map_task import QUARANTINE
from interest_graph.events.records import schema_of
from interest_graph.table_files import TableFiles
from interest_graph.worker_files import WorkerFiles

MAP = pa.map_(pa.string(), pa.string())
SCHEMA = pa.schema(
    [pa.field("user_id", pa.string(), nullable=False), pa.field("attributes", MAP, nullable=False)]
)
SOURCE = SourceConfig(
    name="s", kind="users", path="in", columns={"user_id": "u", "city": "c", "age": "a"}
)


@pytest.fixture
def work(tmp_path):
    """work(parts, files): of users, who are written to the folder `users` or go out as rows."""

    def make(parts=1, *, files=True):
        folders = {
            name: TableFiles(str(tmp_path / name), WorkerFiles(), "run") if files else None
            for name in ("users", "quarantine")
        }
        ranks = {("s", "old"): 0, ("s", "new"): 1}
        return AttributeWork(
            kind="users",
            batch="b",
            schema=SCHEMA,
            key=("user_id",),
            sources={"s": SOURCE},
            ranks=ranks,
            keys=tuple(range(parts)),
            files=folders["users"],
            quarantine=folders["quarantine"],
        )

    return make


def read(*users):
    """What a reader gives: users in the new file, then in the old one."""
    for file, rows in (("new", users[::2]), ("old", users[1::2])):
        records = [
            {"position": n, "length": 9, "is_readable": True, "user_id": u, "city": c, "age": a}
            for n, (u, c, a) in enumerate(rows)
        ]
        yield "s", file, pa.Table.from_pylist(records, schema_of(SOURCE.columns))


USERS = [("u1", "Bern", None), ("u1", "Rome", "3"), ("u2", "Oslo", ""), (None, "x", None)]
USERS += [(f"m{n}", "Paris", str(n)) for n in range(40)]


def reduced(rows, work):
    """Reduces the rows, part by part; returns the rows that come out."""
    out = []
    for key in work.keys:
        mine = [row for row in rows if row.column("part")[0].as_py() == key]
        out += task_rows.rows_of(merge_rows(mine, f"{key}", work=work))
    return out


def told(out):
    return [task_rows.told(row) for row in out if row["kind"] == task_rows.SUMMARY]


def written(out, folder, name=MERGED):
    """The rows of the files that the tasks told of."""
    paths = [folder / file["path"] for content in told(out) for file in content.get(name, [])]
    rows = [row for path in paths for row in pq.ParquetFile(path).read().to_pylist()]
    return sorted(rows, key=json.dumps)


def test_records_come_out_as_files_refusals_as_files_of_the_quarantine(work, tmp_path):
    out = reduced(list(shape_records(read(*USERS), "0", work=work())), work())

    users = {row["user_id"]: dict(row["attributes"]) for row in written(out, tmp_path / "users")}
    assert len(users) == 42
    assert (users["u1"], users["u2"]) == ({"city": "Bern", "age": "3"}, {"city": "Oslo"})
    first = told(out)[0]
    assert first["ingest"] == {"new": 22, "old": 22}
    assert first["reasons"] == {"missing_user_id": 1}
    (file,) = first[QUARANTINE]
    assert file["partition"] == {"batch_id": "b", "kind": "users"}
    (refused,) = written(out, tmp_path / "quarantine", QUARANTINE)
    assert (refused["source"], refused["file"], refused["position"]) == ("s", "old", 1)


def test_three_parts_and_rows_for_spark_equal_one_part_of_files(work, tmp_path):
    def users(work):
        return reduced(list(shape_records(read(*USERS), "0", work=work)), work)

    one = written(users(work()), tmp_path / "users")
    three = users(work(3))
    out = users(work(3, files=False))

    assert len([content for content in told(three) if content.get(MERGED)]) == 3
    assert written(three, tmp_path / "users") == one
    packed = [task_rows.from_bytes(row["data"]) for row in out if row["kind"] == MERGED]
    assert sorted(pa.concat_tables(packed).to_pylist(), key=json.dumps) == one
    refused = [row["data"] for row in out if row["kind"] == QUARANTINE]
    labels = task_rows.from_bytes(refused[0]).select(["batch_id", "kind"]).to_pylist()
    assert labels == [{"batch_id": "b", "kind": "users"}]


@pytest.mark.parametrize("parts", [1, 3])
@pytest.mark.parametrize("by_spark", [False, True])
def test_only_changes_of_stored_rows_are_told(work, tmp_path, parts, by_spark):
    work = work(parts)
    first = reduced(list(shape_records(read(*USERS), "0", work=work)), work)
    paths = [str(path) for path in (tmp_path / "users").iterdir()]
    stored = partial(send_files, paths, "0", work=work, access=WorkerFiles())
    if by_spark:
        batches = [batch for path in paths for batch in pq.read_table(path).to_batches(7)]
        stored = partial(send_rows, batches, "0", work=work)

    def again(*users):
        return reduced([*shape_records(read(*users), "0", work=work), *stored()], work)

    same, other = again(*USERS[:3]), again(("u2", "Lima", None))

    changed = [sum(t.get("changed", {}).get("users", 0) for t in told(o)) for o in (same, other)]
    assert changed == [0, 1]
    expected = written(first, tmp_path / "users")
    for row in expected:
        row["attributes"] = [
            (name, "Lima" if row["user_id"] == "u2" else value) for name, value in row["attributes"]
        ]
    assert written(other, tmp_path / "users") == sorted(expected, key=json.dumps)
