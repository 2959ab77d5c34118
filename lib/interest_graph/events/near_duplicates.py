"""Near duplicates: items that are listed twice, under nearly the same title.

Locality-sensitive hashing: the normalised title becomes a set of character shingles, the set a
MinHash signature, cut into bands. Items with a band in common are candidates; a candidate pair is a
duplicate when the Jaccard index of its shingle sets, computed exactly, reaches the threshold.
(Broder, On the resemblance and containment of documents, 1997; Leskovec, Rajaraman and Ullman,
Mining of Massive Datasets, chapter 3.)
"""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from interest_graph.config.clean import SameItemsConfig


def near_duplicate_pairs(items: DataFrame, config: SameItemsConfig) -> DataFrame:
    """Pairs src < dst of items whose titles have a Jaccard index of `config.jaccard` or more.

    items: item_id, title; one row an item. Bands shared by more than `config.largest_band` items
    are ignored: they come from common phrases, and their pairs grow with the square of the items.
    """
    titled = items.where(F.length(_normalised(F.col("title"))) > 0).select(
        "item_id", _shingles(_normalised(F.col("title")), config.shingle).alias("shingles")
    )
    bands = titled.select("item_id", F.explode(_bands(config)).alias("band"))
    n_items = F.count(F.lit(1)).over(Window.partitionBy("band"))
    shared = bands.withColumn("_n_items", n_items).where(
        F.col("_n_items").between(2, config.largest_band)
    )
    left = shared.select(F.col("item_id").alias("src"), "band")
    right = shared.select(F.col("item_id").alias("dst"), "band")
    candidates = left.join(right, "band").where("src < dst").select("src", "dst").distinct()
    return _verified(candidates, titled, config.jaccard)


def aliases_of(components: DataFrame) -> DataFrame:
    """Map duplicates to the smallest item id of their component: item_id, canonical_id.

    components: id, component, the connected components of the graph of pairs. Items that are
    themselves the smallest id have no row.
    """
    group = Window.partitionBy("component")
    named = components.withColumn("canonical_id", F.min("id").over(group))
    others = named.where(F.col("id") != F.col("canonical_id"))
    return others.select(F.col("id").alias("item_id"), "canonical_id")


def _normalised(title: Column) -> Column:
    """The title in lower case, its letters and digits only, with single blanks between words."""
    return F.trim(F.regexp_replace(F.lower(title), r"[^\p{L}\p{N}]+", " "))


def _shingles(title: Column, size: int) -> Column:
    """Distinct hashes of all substrings of `size` characters; of the whole title if shorter."""
    starts = F.sequence(F.lit(1), F.greatest(F.length(title) - size + 1, F.lit(1)))
    return F.array_distinct(
        F.transform(starts, lambda start: F.xxhash64(title.substr(start, F.lit(size))))
    )


def _bands(config: SameItemsConfig) -> Column:
    """A hash of each band of the MinHash signature, tagged with the band's number."""

    def least(seed: Column) -> Column:
        return F.array_min(F.transform("shingles", lambda shingle: F.xxhash64(shingle, seed)))

    def band(number: Column) -> Column:
        seeds = F.sequence(number * config.rows, number * config.rows + (config.rows - 1))
        return F.xxhash64(number, F.transform(seeds, least))

    return F.transform(F.sequence(F.lit(0), F.lit(config.bands - 1)), band)


def _verified(candidates: DataFrame, titled: DataFrame, threshold: float) -> DataFrame:
    left = titled.select(F.col("item_id").alias("src"), F.col("shingles").alias("_left"))
    right = titled.select(F.col("item_id").alias("dst"), F.col("shingles").alias("_right"))
    both = candidates.join(left, "src").join(right, "dst")
    common = F.size(F.array_intersect("_left", "_right"))
    jaccard = common / (F.size("_left") + F.size("_right") - common)
    return both.where(jaccard >= threshold).select("src", "dst")
