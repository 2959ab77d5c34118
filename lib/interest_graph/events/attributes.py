"""Users, items and social edges from records of attribute sources, merged to one row a key.

In each column the newest value that is not null wins. The scratch column `_order` sorts rows from
old to new: rows already stored come first, then records by the modification time of their file.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from interest_graph.config import SourceConfig
from interest_graph.config.sources import ITEM_COLUMNS, USER_COLUMNS
from interest_graph.events.sources import InputFile

_TEXTS = "map<string,string>"


def in_file_order(records: DataFrame, files: Sequence[InputFile]) -> DataFrame:
    """Add `_order` to records: the rank of their file by modification time, then their position."""
    by_time = sorted(files, key=lambda file: (file.modified_ts, file.path))
    places = [part for n, file in enumerate(by_time, 1) for part in (F.lit(file.path), F.lit(n))]
    place = F.create_map(*places)[F.col("file")]
    return records.withColumn("_order", F.struct(place.alias("file"), "position"))


def stored_first(rows: DataFrame) -> DataFrame:
    """Add `_order` to stored rows: before every record of a file."""
    before = F.struct(F.lit(0).alias("file"), F.lit(0).cast("bigint").alias("position"))
    return rows.withColumn("_order", before)


def users_of(records: DataFrame, source: SourceConfig) -> DataFrame:
    """Users as user_id, attributes, `_order`; attributes maps names to texts.

    Every mapped column but user_id is an attribute. Unreadable records and empty ids are dropped.
    """
    attributes = _attributes(source, USER_COLUMNS).alias("attributes")
    return _with_key(records, "user_id").select("user_id", attributes, "_order")


def items_of(records: DataFrame, source: SourceConfig) -> DataFrame:
    """Items as item_id, title, text, categories, attributes, `_order`.

    A column that the source does not map is null; attributes: the other mapped columns, as texts.
    """
    return _with_key(records, "item_id").select(
        "item_id",
        _given(source, "title").alias("title"),
        _given(source, "text").alias("text"),
        _split(_given(source, "categories"), source.list_delimiter).alias("categories"),
        _attributes(source, ITEM_COLUMNS).alias("attributes"),
        "_order",
    )


def social_edges_of(records: DataFrame, source: SourceConfig) -> DataFrame:
    """Social edges as user_id, friend_id, weight, `_order`; weight 1 where none is given.

    Edges from a user to the same user and weights that are not above 0 are dropped.
    """
    weight = F.coalesce(_given(source, "weight").cast("double"), F.lit(1.0)).alias("weight")
    edges = _with_key(_with_key(records, "user_id"), "friend_id")
    edges = edges.select("user_id", "friend_id", weight, "_order")
    return edges.where((F.col("user_id") != F.col("friend_id")) & (F.col("weight") > 0))


def newest_by_key(rows: DataFrame, key: Sequence[str]) -> DataFrame:
    """Merge rows to one a key: by column the newest non-null value, by name within attributes."""
    columns = [column for column in rows.columns if column not in (*key, "_order")]
    merged = [_merged(column) if column == "attributes" else _newest(column) for column in columns]
    return rows.groupBy(*key).agg(*merged)


def complete_items(items: DataFrame) -> DataFrame:
    """Fill missing values: text from title and categories, categories with an empty list."""
    no_categories = F.array().cast("array<string>")
    filled = items.withColumn("categories", F.coalesce("categories", no_categories))
    return filled.withColumn("text", F.coalesce("text", _made_text()))


def as_given(items: DataFrame) -> DataFrame:
    """Undo `complete_items`: values that it filled in become null, so that later records count."""
    text = F.when(~F.col("text").eqNullSafe(_made_text()), F.col("text"))
    given = items.withColumn("text", text)
    return given.withColumn("categories", F.when(F.size("categories") > 0, F.col("categories")))


def _made_text() -> Column:
    categories = F.nullif(F.array_join("categories", ", "), F.lit(""))
    return F.nullif(F.concat_ws(". ", "title", categories), F.lit(""))


def _newest(column: str) -> Column:
    return F.max_by(column, F.when(F.col(column).isNotNull(), F.col("_order"))).alias(column)


def _merged(column: str) -> Column:
    # Spark cannot sort structs with maps: the entries are sorted in their place.
    entries = F.map_entries(column).alias("entries")
    in_order = F.array_sort(F.collect_list(F.struct("_order", entries)))

    def override(merged: Column, row: Column) -> Column:
        newer = F.map_from_entries(row["entries"])
        kept = F.map_filter(merged, lambda name, _: newer[name].isNull())
        return F.map_concat(kept, newer)

    return F.aggregate(in_order, F.create_map().cast(_TEXTS), override).alias(column)


def _with_key(records: DataFrame, key: str) -> DataFrame:
    trimmed = records.withColumn(key, F.trim(key))
    return trimmed.where(F.col("is_readable") & (F.col(key) != ""))


def _given(source: SourceConfig, column: str) -> Column:
    return (
        F.nullif(F.trim(column), F.lit(""))
        if column in source.columns
        else F.lit(None).cast("string")
    )


def _attributes(source: SourceConfig, known: Sequence[str]) -> Column:
    names = [name for name in source.columns if name not in known]
    if not names:
        return F.create_map().cast(_TEXTS)
    given = F.create_map(*[part for name in names for part in (F.lit(name), F.col(name))])
    return F.map_filter(given, lambda _, value: value.isNotNull())


def _split(text: Column, delimiter: str) -> Column:
    """Trimmed, distinct, non-empty parts of a list; null for an empty list."""
    parts = F.transform(F.split(text, re.escape(delimiter)), lambda part: F.trim(part))
    filled = F.array_distinct(F.filter(parts, lambda part: part != ""))
    return F.when(F.size(filled) > 0, filled)
