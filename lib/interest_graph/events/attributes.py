"""Users, items and social edges merged to one row a key.

In each column the newest value that is not null wins. The scratch column `_order` sorts rows from
old to new: rows already stored come first, then records by the modification time of their file.
"""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from interest_graph.events.sources import InputFile

_TEXTS = "map<string,string>"


def in_file_order(rows: DataFrame, files: Sequence[InputFile]) -> DataFrame:
    """Add `_order` to rows: the rank of their file by modification time, then their position."""
    by_time = sorted(files, key=lambda file: (file.modified_ts, file.path))
    places = [part for n, file in enumerate(by_time, 1) for part in (F.lit(file.path), F.lit(n))]
    place = F.create_map(*places)[F.col("file")]
    return rows.withColumn("_order", F.struct(place.alias("file"), "position"))


def stored_first(rows: DataFrame) -> DataFrame:
    """Add `_order` to stored rows: before every record of a file."""
    before = F.struct(F.lit(0).alias("file"), F.lit(0).cast("bigint").alias("position"))
    return rows.withColumn("_order", before)


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
