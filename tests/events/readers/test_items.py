"""A record an item: JSON arrays and delimited texts."""

from __future__ import annotations

import pyarrow as pa
import pytest

from interest_graph.config import SourceConfig
from interest_graph.events.readers.items import one_item_each
from interest_graph.events.records import schema_of

SOURCE = SourceConfig(
    name="s",
    format="json",
    path="/in",
    columns={"user_id": "u", "item_id": "i", "event_time": "t"},
    action="view",
    explode=",",
)


def explode(*texts, source=SOURCE, is_text=True):
    """position -> item, of records at 100, 200, ... with these item texts."""
    rows = [
        {
            "position": 100 * (n + 1),
            "length": 50,
            "is_readable": True,
            "user_id": f"u{n}",
            "item_id": t,
        }
        for n, t in enumerate(texts)
    ]
    found = one_item_each(
        pa.Table.from_pylist(rows, schema_of(SOURCE.columns)), source, is_text=is_text
    )
    assert found.schema.equals(schema_of(SOURCE.columns))
    return found.to_pylist()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('["a", "b"]', ["a", "b"]),
        (' ["a"] ', ["a"]),
        ('["a,b", "c\\"d", "\\u00e9"]', ["a,b", 'c"d', "é"]),
        ("[1, 2.0, 12345678901234567890123]", ["1", "2", "12345678901234567890123"]),
        ("[1.2345678E7, 1054364498.1612345678, -0]", ["12345678", "1054364498.1612345678", "0"]),
        ('["1.0", "007"]', ["1.0", "007"]),
        ("[true, null, []]", ["true", "[]"]),
        ('[{"id": 1.50}, null]', ['{"id":1.50}']),
        ("[]", [None]),
        ("[null]", [None]),
        ("[nan]", ["[nan]"]),
        ("[1,]", ["1"]),
        ("[a,b]", ["[a", "b]"]),
        ("a,b,c", ["a", "b", "c"]),
        ("a,,b", ["a", "", "b"]),
        ("a", ["a"]),
        ("", [""]),
        (None, [None]),
        ('{"id":1}', ['{"id":1}']),
        ("[" * 3000, ["[" * 3000]),
    ],
)
def test_items_of_a_text(text, expected):
    rows = explode("before", text, "after")

    assert [row["item_id"] for row in rows] == ["before", *expected, "after"]
    assert [row["position"] for row in rows] == [100, *range(200, 200 + len(expected)), 300]
    assert [row["user_id"] for row in rows] == ["u0", *["u1"] * len(expected), "u2"]


@pytest.mark.parametrize("delimiter", ["|", "::", ".", "\\", "'"])
def test_the_delimiter_is_no_pattern(delimiter):
    source = SOURCE.model_copy(update={"explode": delimiter})

    assert [row["item_id"] for row in explode(f"a{delimiter}b", source=source)] == ["a", "b"]


def test_rows_of_tables_leave_room_for_their_items():
    rows = explode("a,b", "c", is_text=False)

    assert [row["position"] for row in rows] == [100 << 20, (100 << 20) + 1, 200 << 20]


def test_without_explode_nothing_changes():
    source = SOURCE.model_copy(update={"explode": None})

    assert [row["item_id"] for row in explode("a,b", source=source)] == ["a,b"]


def test_no_records_give_none():
    assert explode() == []
