"""Made-up items, some of them listed twice under titles that nearly agree."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from interest_graph.config.generate import GenerateConfig
from interest_graph.events.made.chance import draw, pick


def make_items(spark: SparkSession, config: GenerateConfig) -> DataFrame:
    """i, title, category, original: titles of made-up words; some items are listed twice."""
    words = [_word(config, place) for place in range(6)]
    plain = spark.range(config.items).select(
        F.format_string("i%d", "id").alias("i"),
        F.concat_ws(" ", *words).alias("title"),
        F.concat(F.lit("c"), F.col("id") % config.communities).alias("category"),
        F.lit(None).cast("string").alias("original"),
        "id",
    )
    twice = plain.where(draw(config.seed, "twice", "id") < config.near_duplicate_fraction)
    again = (
        F.when(F.col("id") % 3 == 0, F.upper("title"))
        .when(F.col("id") % 3 == 1, F.regexp_replace("title", " ", ", "))
        .otherwise(F.overlay("title", F.lit("q"), F.lit(10)))
    )
    copies = twice.withColumns({"original": F.col("i"), "title": again}).withColumn(
        "i", F.concat("original", F.lit("x"))
    )
    return plain.unionByName(copies).drop("id")


def _word(config: GenerateConfig, place: int) -> Column:
    """One of 40,000 made-up words of three syllables."""
    syllables = [f"{c}{v}" for c in "bdfgklmnprstv" for v in "aeiou"]
    listed = F.array(*[F.lit(syllable) for syllable in syllables])
    picks = [pick(config.seed, f"word{place}{n}", len(syllables), "id") + 1 for n in range(3)]
    return F.concat(*[F.element_at(listed, pick.cast("int")) for pick in picks])
