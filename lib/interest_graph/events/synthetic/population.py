"""The records of a synthetic log: events of people and bots, repeats, malformed records."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from functools import reduce
from math import gcd

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from interest_graph.config.features import GenerateConfig

DAY_SECONDS = 86_400
AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0"


def epoch_text(first_day: date) -> Column:
    """Column: epoch time in seconds, as text, of column `second` counted from the first day."""
    start = int(datetime.combine(first_day, time(), UTC).timestamp())
    return (F.col("second") + start).cast("bigint").cast("string")


def pick(seed: int, choice: str, n: int, *columns: str) -> Column:
    """Column: a random whole number from 0 to n - 1, a hash of seed, choice and the columns."""
    drawn = F.xxhash64(F.lit(seed), F.lit(choice), *columns)
    return F.pmod(drawn, F.lit(n).cast("bigint"))


def draw(seed: int, choice: str, *columns: str) -> Column:
    """Column: a random number in [0, 1), a hash of seed, choice and the columns."""
    return pick(seed, choice, 1 << 30, *columns) / float(1 << 30)


_SLOT = 3 * 3600  # seconds; a user's sessions start in distinct slots, so that none overlap
_MAX_EVENTS = 10  # of a session, which so lasts 22 minutes at most
_PACE = 120  # seconds between events of a session, plus or minus at most 89
_BLOCK = 16  # the events of a session have distinct items, all in one block of so many


def people_events(spark: SparkSession, config: GenerateConfig) -> DataFrame:
    """Events of people, whose numbers of sessions vary widely; 80% on items of their community."""
    cells = config.days * DAY_SECONDS // _SLOT
    mean_sessions = config.events / config.users / ((1 + _MAX_EVENTS) / 2)
    # Pareto distribution with mean 1: most users have few sessions, a few users very many.
    busy = F.pow(F.lit(1.0) - draw(config.seed, "busy", "id"), -0.5) / 2
    n_sessions = F.least(F.ceil(busy * mean_sessions), F.lit(cells // 2)).cast("int")
    users = spark.range(config.users).withColumn("n_sessions", n_sessions)
    sessions = users.withColumn("nth", F.explode(F.expr("sequence(0, n_sessions - 1)")))
    step = next(n for n in range(cells // 3, cells) if gcd(n, cells) == 1)  # visits every cell
    first, shift = pick(config.seed, "cell", cells, "id"), pick(config.seed, "zone", _SLOT, "id")
    cell = F.pmod(first + F.col("nth") * step, F.lit(cells))
    length = 1 + pick(config.seed, "length", _MAX_EVENTS, "id", "nth")
    placed = sessions.withColumns({"start": cell * _SLOT + shift, "length": length.cast("int")})
    events = placed.withColumn("k", F.explode(F.expr("sequence(0, length - 1)")))
    second = F.col("start") + F.col("k") * _PACE + pick(config.seed, "pace", 89, "id", "nth", "k")
    timed = events.withColumn("second", second).where(F.col("second") < config.days * DAY_SECONDS)
    day = F.floor(F.col("second") / DAY_SECONDS)
    return _with_choices(timed, config).withColumns(
        {
            "u": F.format_string("u%d", "id"),
            "session": F.concat_ws("-", "id", "nth", day),
            "id": F.format_string("e%d-%d-%d", "id", "nth", "k"),
            "kind": F.lit("person"),
        }
    )


def _with_choices(events: DataFrame, config: GenerateConfig) -> DataFrame:
    """Add i, a, v, agent, and late: the days by which the event is delivered too late."""
    key = ("id", "nth", "k")
    own = F.pmod(F.col("id"), F.lit(config.communities))
    community = F.when(draw(config.seed, "own", *key) < 0.8, own)
    community = community.otherwise(pick(config.seed, "other", config.communities, *key))
    blocks = max(1, config.items // config.communities // _BLOCK)
    # The cube of a uniform draw makes low numbers popular.
    block = F.floor(F.pow(draw(config.seed, "item", *key), 3) * blocks)
    place = block * _BLOCK + F.col("k")
    action = draw(config.seed, "action", *key)
    name = F.when(action < 0.85, "view").when(action < 0.93, "cart")
    is_late = draw(config.seed, "late", *key) < config.late_fraction
    return events.withColumns(
        {
            "i": F.concat(F.lit("i"), community + place * config.communities),
            "a": name.when(action < 0.97, "favourite").otherwise("purchase"),
            "v": F.when(
                action >= 0.97, (1 + pick(config.seed, "price", 9_900, *key)).cast("string")
            ),
            "late": F.when(is_late, 1 + pick(config.seed, "days", 3, *key)).otherwise(F.lit(0)),
            "agent": F.lit(AGENT),
        }
    )


def repeats(people: DataFrame, config: GenerateConfig) -> list[DataFrame]:
    """Repeats of events: frames of duplicate_id, duplicate_event, and chains of 1 to 3 retries."""
    event = ("u", "second")
    late = pick(config.seed, "again", 4, *event)
    same_id = people.where(draw(config.seed, "same_id", *event) < config.duplicate_id_fraction)
    same_event = people.where(
        draw(config.seed, "same_event", *event) < config.duplicate_event_fraction
    )
    retried = people.where(draw(config.seed, "retry", *event) < config.retry_fraction)
    n_retries = (1 + pick(config.seed, "chain", 3, *event)).cast("int")
    chain = retried.withColumn("m", F.explode(F.sequence(F.lit(1), n_retries)))
    return [
        same_id.withColumns({"kind": F.lit("duplicate_id"), "late": late}),
        same_event.withColumns(
            {
                "kind": F.lit("duplicate_event"),
                "late": late,
                "id": F.concat("id", F.lit("d")),
            }
        ),
        chain.withColumns(
            {
                "kind": F.lit("retry"),
                "id": F.concat("id", F.lit("r"), "m"),
                "second": F.col("second") + 7 * F.col("m") - F.col("second") % 2,
            }
        ),
    ]


MALFORMED: dict[str, dict[str, str | None]] = {
    # reason -> changes to a valid record; unreadable lines are truncated by `log_lines`
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

# rule -> events of the day, seconds between them, random variation of those, distinct items
_HABITS = {
    "events_per_minute": (160, 0.3, 0, 160),
    "events_per_day": (5_300, 14, 9, 700),
    "items_per_day": (2_300, 15, 9, 2_300),
    "active_hours": (96, 890, 700, 96),
    "steady_gaps": (80, 240, 0, 40),
    "crawler_agent": (30, 200, 150, 30),
}


def bot_events(spark: SparkSession, config: GenerateConfig) -> DataFrame:
    """Events of users that each break one bot rule, at its default threshold, on one day."""
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
    """Records that each break one validation rule; MALFORMED has their reasons."""
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
