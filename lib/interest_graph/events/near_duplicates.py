"""Items that are the same thing listed twice, by titles that nearly agree.

Character shingles of the normalised title; MinHash signatures cut into bands; items that share a
band are candidates, and a candidate pair counts when the Jaccard index of its shingle sets,
computed exactly, reaches the threshold. (Broder, On the resemblance and containment of documents,
1997; Leskovec, Rajaraman and Ullman, Mining of Massive Datasets, chapter 3.)
"""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from interest_graph.config.clean import SameItemsConfig


def near_duplicate_pairs(items: DataFrame, config: SameItemsConfig) -> DataFrame:
    """src, dst: pairs of items (src < dst) whose titles agree to `config.jaccard` or more.

    items: item_id, title; one row an item. A band that more than `config.largest_band` items share
    is left out: it stands for a common phrase, and its pairs would grow with its square.
    """
    titled = items.where(F.length(_normalised(F.col("title"))) > 0).select(
        "item_id", _shingles(_normalised(F.col("title")), config.shingle).alias("shingles")
    )
    bands = titled.select("item_id", F.explode(_bands(config)).alias("band"))
    crowd = F.count(F.lit(1)).over(Window.partitionBy("band"))
    shared = bands.withColumn("_crowd", crowd).where(
        F.col("_crowd").between(2, config.largest_band)
    )
    left = shared.select(F.col("item_id").alias("src"), "band")
    right = shared.select(F.col("item_id").alias("dst"), "band")
    candidates = left.join(right, "band").where("src < dst").select("src", "dst").distinct()
    return _verified(candidates, titled, config.jaccard)


def aliases_of(components: DataFrame) -> DataFrame:
    """item_id, canonical_id for every item that is another one: the smallest id of its component.

    components: id, component, of the graph that the pairs make.
    """
    group = Window.partitionBy("component")
    named = components.withColumn("canonical_id", F.min("id").over(group))
    others = named.where(F.col("id") != F.col("canonical_id"))
    return others.select(F.col("id").alias("item_id"), "canonical_id")


def with_canonical_items(records: DataFrame, aliases: DataFrame) -> DataFrame:
    """Puts the canonical id in place of an alias."""
    renamed = aliases.withColumnRenamed("canonical_id", "_canonical_id")
    joined = records.join(F.broadcast(renamed), "item_id", how="left")
    canonical = F.coalesce("_canonical_id", "item_id")
    return joined.withColumn("item_id", canonical).drop("_canonical_id")


def _normalised(title: Column) -> Column:
    """Lower case, letters and digits of any script, single blanks."""
    return F.trim(F.regexp_replace(F.lower(title), r"[^\p{L}\p{N}]+", " "))


def _shingles(title: Column, size: int) -> Column:
    """Distinct hashes of all runs of `size` characters; of the whole title if it is shorter."""
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
