"""Users, items and social edges."""

from __future__ import annotations

from datetime import UTC, datetime

from interest_graph.config import SourceConfig
from interest_graph.events.attributes import (
    as_given,
    complete_items,
    in_file_order,
    items_of,
    newest_by_key,
    social_edges_of,
    stored_first,
)
from interest_graph.events.sources import InputFile

OLD, NEW = (InputFile("s", f"file:/{day}", 1, datetime(2024, 1, day, tzinfo=UTC)) for day in (2, 1))
ITEMS = SourceConfig(
    name="s",
    kind="items",
    path="in",
    columns={"item_id": "i", "title": "t", "categories": "c", "year": "y"},
)


def items(spark, *rows):
    columns = (
        "file STRING, position BIGINT, item_id STRING, title STRING, categories STRING, year STRING"
    )
    frame = spark.createDataFrame(rows, columns).selectExpr("*", "true AS is_readable")
    return items_of(in_file_order(frame, [OLD, NEW]), ITEMS)


def test_later_files_win_column_by_column_over_stored_rows(spark):
    rows = items(
        spark,
        (NEW.path, 0, "1", "first", "War| Drama |War||", "1999"),
        (OLD.path, 0, "1", "second", None, None),
        (OLD.path, 1, "2", None, None, "2001"),
        (OLD.path, 2, " ", "no id", None, None),
    )
    stored = spark.createDataFrame(
        [("1", "zeroth", "zeroth", [], {"year": "1", "brand": "b"})],
        "item_id STRING, title STRING, text STRING, categories ARRAY<STRING>, "
        "attributes MAP<STRING, STRING>",
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


def test_social_edges_have_a_positive_weight_and_two_ends(spark):
    source = SourceConfig(
        name="s",
        kind="social_edges",
        path="in",
        columns={"user_id": "u", "friend_id": "f", "weight": "w"},
    )
    rows = [("a", "b", None), ("a", "c", "2.5"), ("a", "a", "1"), ("a", "d", "-1"), ("a", "", "1")]
    columns = "user_id STRING, friend_id STRING, weight STRING"
    frame = spark.createDataFrame(rows, columns).selectExpr(
        "*", "true AS is_readable", f"'{NEW.path}' AS file", "0L AS position"
    )

    edges = social_edges_of(in_file_order(frame, [NEW]), source).drop("_order").collect()

    assert {tuple(edge) for edge in edges} == {("a", "b", 1.0), ("a", "c", 2.5)}
