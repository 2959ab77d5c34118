"""What a reader yields becomes records: a kernel, without Spark."""

from __future__ import annotations

import json
from datetime import datetime

import pyarrow as pa
import pytest

from interest_graph.errors import DataError
from interest_graph.events import custom_records
from interest_graph.events.custom_records import column_names, to_records

COLUMNS = {"user_id": "u", "item_id": "i"}


def rows(found, columns=COLUMNS):
    return [row for table in to_records("f", found, columns) for row in table.to_pylist()]


def test_mapped_columns_are_text_and_the_rest_is_json():
    (row,) = rows([{"u": "a", "i": "1", "page": "home", "empty": None}])

    assert row == {
        "file": "f",
        "position": 0,
        "is_readable": True,
        "payload": '{"page": "home"}',
        "user_id": "a",
        "item_id": "1",
    }


def test_raw_text_is_an_unreadable_record_that_keeps_its_place():
    found = rows([{"u": "a", "i": "1"}, "a broken line", {"u": "b"}])

    assert [(row["position"], row["is_readable"]) for row in found] == [
        (0, True),
        (1, False),
        (2, True),
    ]
    assert [row["payload"] for row in found] == [None, "a broken line", None]
    assert [row["item_id"] for row in found] == ["1", None, None]


def test_tables_and_single_records_may_follow_one_another(monkeypatch):
    monkeypatch.setattr(custom_records, "_ROWS_PER_BATCH", 2)
    table = pa.table({"u": ["x", "y"], "i": [1, None], "at": [datetime(2024, 1, 1)] * 2})

    found = rows([{"u": "a"}, {"u": "b"}, {"u": "c"}, table, table.slice(0, 0), {"u": "d"}])

    assert [row["user_id"] for row in found] == ["a", "b", "c", "x", "y", "d"]
    assert [row["position"] for row in found] == list(range(6))
    assert [row["item_id"] for row in found[3:5]] == ["1", None]
    assert json.loads(found[3]["payload"]) == {"at": "2024-01-01 00:00:00"}


def test_nested_columns_of_a_table_become_json():
    table = pa.table({"u": [{"id": 7}, None], "i": [["é"], None]})

    assert [(row["user_id"], row["item_id"]) for row in rows([table])] == [
        ('{"id": 7}', '["é"]'),
        (None, None),
    ]


@pytest.mark.parametrize(
    ("record", "problem"),
    [({"u": 5}, "u of a record is of type int, not text"), (["a"], "a record is of type list")],
)
def test_what_is_no_record_is_refused(record, problem):
    with pytest.raises(DataError, match=problem):
        rows([record])


def test_columns_are_those_of_the_first_readable_records():
    assert column_names(["raw", {"u": "a"}, {"i": "1", "u": "b"}, pa.table({"t": [1]})]) == [
        "u",
        "i",
        "t",
    ]
    assert column_names([]) == []


def test_a_file_of_which_nothing_can_be_read_is_refused():
    with pytest.raises(DataError, match="none of its records can be read"):
        column_names(["raw", "raw"])
