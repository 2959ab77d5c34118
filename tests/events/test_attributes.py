"""Merging of attributes to one row a key."""

from __future__ import annotations

from datetime import UTC, datetime

from interest_graph.events.attributes import (
    as_given,
    complete_items,
    in_file_order,
    newest_by_key,
    stored_first,
)
from interest_graph.events.sources import InputFile

OLD, NEW = (InputFile("s", f"file:/{day}", 1, datetime(2024, 1, day, tzinfo=UTC)) for day in (2, 1))
COLUMNS = """item_id STRING, title STRING, text STRING, categories ARRAY<STRING>,
    attributes MAP<STRING, STRING>"""


def test_later_files_win_column_by_column_over_stored_rows(spark):
    taken_in = [
        (NEW.path, 0, "1", "first", None, ["War", "Drama"], {"year": "1999"}),
        (OLD.path, 0, "1", "second", None, None, {}),
        (OLD.path, 1, "2", None, None, None, {"year": "2001"}),
    ]
    rows = spark.createDataFrame(taken_in, f"file STRING, position BIGINT, {COLUMNS}")
    rows = in_file_order(rows, [OLD, NEW]).drop("file", "position")
    stored = spark.createDataFrame(
        [("1", "zeroth", "zeroth", [], {"year": "1", "brand": "b"})], COLUMNS
    )

    merged = newest_by_key(rows.unionByName(stored_first(as_given(stored))), ["item_id"])

    found = {row.item_id: row for row in complete_items(merged).collect()}
    one, two = found["1"], found["2"]
    assert (one.title, one.categories) == ("second", ["War", "Drama"])
    assert (one.text, one.attributes) == ("second. War, Drama", {"year": "1999", "brand": "b"})
    assert (two.title, two.text, two.categories, two.attributes) == (
        None,
        None,
        [],
        {"year": "2001"},
    )
    assert len(found) == 2
