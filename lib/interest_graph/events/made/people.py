"""People's events, and what happens to some of them on the way."""

from __future__ import annotations

from math import gcd

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from interest_graph.config.generate import GenerateConfig
from interest_graph.events.made.chance import AGENT, DAY_SECONDS, draw, pick

_SLOT = 3 * 3600  # a user's sessions start in distinct slots of three hours: no two of them meet
_MAX_EVENTS = 10  # of a session, which thus lasts 22 minutes at most
_PACE = 120  # seconds between events of a session, give or take 89
_BLOCK = 16  # events of one session fall on distinct places of a block of items


def people_events(spark: SparkSession, config: GenerateConfig) -> DataFrame:
    """People's events: users with few and with many sessions, mostly in their own community."""
    cells = config.days * DAY_SECONDS // _SLOT
    mean_sessions = config.events / config.users / ((1 + _MAX_EVENTS) / 2)
    # A Pareto tail of mean 1: most users come seldom, a few all the time.
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
    """Adds i, a, v and how many days late the event is delivered."""
    key = ("id", "nth", "k")
    own = F.pmod(F.col("id"), F.lit(config.communities))
    community = F.when(draw(config.seed, "own", *key) < 0.8, own)
    community = community.otherwise(pick(config.seed, "other", config.communities, *key))
    blocks = max(1, config.items // config.communities // _BLOCK)
    # Cubed: low numbers are popular.
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
    """The same record again, the same event under another id, and retries in chains."""
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
