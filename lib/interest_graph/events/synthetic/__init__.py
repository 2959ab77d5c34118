"""Synthetic logs with known truth: which records are people's, repeats, bots' or malformed.

Every value is a hash of the seed and of ids, so the log does not depend on the number of tasks.
"""

from __future__ import annotations

from functools import reduce

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from interest_graph.config.features import GenerateConfig
from interest_graph.events.synthetic.population import (
    DAY_SECONDS,
    bot_events,
    draw,
    epoch_text,
    malformed_records,
    people_events,
    pick,
    repeats,
)


def synthetic_items(spark: SparkSession, config: GenerateConfig) -> DataFrame:
    """Items as i (item id), title, category, original; titles consist of made-up words.

    near_duplicate_fraction of the items are listed a second time with a slightly different title;
    original is then the id of the first listing, otherwise null.
    """
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


_RECORD = ("id", "u", "i", "a", "t", "v", "agent")
_COLUMNS = (*_RECORD, "kind", "session", "delivered")


def synthetic_log(spark: SparkSession, config: GenerateConfig) -> DataFrame:
    """All records with their truth; all columns but `delivered` are texts.

    Received columns: id, u (user), i (item), a (action), t (epoch seconds), v (value), agent.
    Truth: kind, one of person, duplicate_id, duplicate_event, retry, bot.<rule> and
    malformed.<reason>; session, of people's events only. delivered: number, from 0, of the day
    whose file has the record.
    """
    people = people_events(spark, config)
    noise = [bot_events(spark, config), malformed_records(spark, config)]
    parts = [people, *repeats(people, config), *noise]
    return reduce(DataFrame.unionByName, [_received(part, config) for part in parts])


def log_lines(rows: DataFrame, config: GenerateConfig) -> DataFrame:
    """The records as JSON lines: value, delivered_date.

    With schema drift: in the second half of the days times are texts instead of numbers, and there
    is a new field. Lines of kind malformed.unreadable are truncated.
    """
    number = F.col("t").cast("bigint")
    plain = F.to_json(F.struct(*[name for name in _RECORD if name != "t"], number.alias("t")))
    drifted = F.to_json(F.struct(*_RECORD, F.lit("2.0").alias("client")))
    is_plain = (F.col("delivered") < config.days / 2) & number.isNotNull()
    lines = rows.withColumn("line", F.when(is_plain, plain).otherwise(drifted))
    cut = F.expr("substring(line, 1, length(line) - 30)")
    value = F.when(F.col("kind") == "malformed.unreadable", cut).otherwise(F.col("line"))
    day = F.date_add(F.lit(config.first_day), F.col("delivered"))
    return lines.select(value.alias("value"), day.alias("delivered_date"))


def truth_of(rows: DataFrame) -> DataFrame:
    """The truth of each record: event_id, user_id, item_id, kind, session."""
    columns = {
        "event_id": "id",
        "user_id": "u",
        "item_id": "i",
        "kind": "kind",
        "session": "session",
    }
    return rows.select(*[F.col(old).alias(new) for new, old in columns.items()])


def _received(rows: DataFrame, config: GenerateConfig) -> DataFrame:
    timed = rows if "t" in rows.columns else rows.withColumn("t", epoch_text(config.first_day))
    delivered = (F.floor(F.col("second") / DAY_SECONDS) + F.col("late")).cast("int")
    return timed.withColumn("delivered", delivered).select(*_COLUMNS)
