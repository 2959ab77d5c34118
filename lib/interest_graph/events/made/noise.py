"""What does not come from people: bots and broken records."""

from __future__ import annotations

from functools import reduce

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from interest_graph.config.generate import GenerateConfig
from interest_graph.events.made.chance import AGENT, DAY_SECONDS, epoch_text, pick

MALFORMED: dict[str, dict[str, str | None]] = {
    # reason -> what is wrong with the record; unreadable lines are cut when they are written
    "unreadable": {},
    "missing_user_id": {"u": None},
    "missing_item_id": {"i": ""},
    "missing_action": {"a": None},
    "unknown_action": {"a": "teleport"},
    "missing_time": {"t": None},
    "bad_time": {"t": "soon"},
    "future_time": {"t": "4102444800"},
    "ancient_time": {"t": "1000"},
    "bad_value": {"v": "many"},
    "negative_value": {"v": "-5"},
}

_CRAWLER = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"

# rule -> events of the day, seconds from one to the next, spread of those, distinct items
_HABITS = {
    "events_per_minute": (160, 0.3, 0, 160),
    "events_per_day": (5_300, 14, 9, 700),
    "items_per_day": (2_300, 15, 9, 2_300),
    "active_hours": (96, 890, 700, 96),
    "steady_gaps": (80, 240, 0, 40),
    "crawler_agent": (30, 200, 150, 30),
}


def bot_events(spark: SparkSession, config: GenerateConfig) -> DataFrame:
    """Users that break one rule each, at its default threshold, within one day."""
    parts = []
    for number, (rule, (n_events, pace, spread, n_items)) in enumerate(_HABITS.items()):
        made = spark.range(config.bots_per_rule).withColumn(
            "k", F.explode(F.sequence(F.lit(0), F.lit(n_events - 1)))
        )
        noise = pick(config.seed, rule, spread + 1, "id", "k") - spread // 2
        day = F.pmod(F.col("id") * 7 + number, F.lit(config.days))
        second = day * DAY_SECONDS + 300 + F.floor(F.col("k") * pace) + noise
        parts.append(
            made.withColumns(
                {
                    "u": F.format_string(f"b{number}-%d", "id"),
                    "i": F.concat(F.lit("i"), F.col("k") % n_items),
                    "second": second,
                    "kind": F.lit(f"bot.{rule}"),
                    "agent": F.lit(_CRAWLER if rule == "crawler_agent" else AGENT),
                }
            )
        )
    bots = reduce(DataFrame.unionByName, parts)
    absent = F.lit(None).cast("string")
    return bots.withColumns(
        {
            "id": F.concat("u", F.lit("-"), "k"),
            "a": F.lit("view"),
            "v": absent,
            "session": absent,
            "late": F.lit(0),
        }
    )


def malformed_records(spark: SparkSession, config: GenerateConfig) -> DataFrame:
    """Records that break one promise each."""
    rows = spark.range(int(config.events * config.malformed_fraction))
    reasons = F.array(*[F.lit(reason) for reason in MALFORMED])
    reason = F.element_at(reasons, (F.col("id") % len(MALFORMED) + 1).cast("int"))
    whole = rows.withColumns(
        {
            "second": pick(config.seed, "moment", config.days * DAY_SECONDS, "id"),
            "u": F.concat(F.lit("u"), F.col("id") % config.users),
            "i": F.concat(F.lit("i"), F.col("id") % config.items),
            "a": F.lit("purchase"),
            "v": F.lit("1"),
            "agent": F.lit(AGENT),
            "session": F.lit(None).cast("string"),
            "late": F.lit(0),
            "kind": F.concat(F.lit("malformed."), reason),
            "id": F.concat(F.lit("m"), "id"),
        }
    )
    whole = whole.withColumn("t", epoch_text(config.first_day))
    for name in ("u", "i", "a", "t", "v"):
        for wrong, changes in MALFORMED.items():
            if name in changes:
                is_wrong = F.col("kind") == f"malformed.{wrong}"
                spoilt = F.lit(changes[name]).cast("string")
                whole = whole.withColumn(name, F.when(is_wrong, spoilt).otherwise(F.col(name)))
    return whole
