"""Bot rules, each broken by one user and kept by the next."""

from __future__ import annotations

import random

from interest_graph.config.clean import BotConfig
from interest_graph.events.bots import mark_bots

CONFIG = BotConfig(
    events_per_minute=20,
    events_per_day=200,
    items_per_day=50,
    active_hours=20,
    steady_gap_events=30,
    steady_gap_variation=0.05,
)


def day_of(user, seconds, items=lambda n: "i"):
    return [
        (user, second, {"user_id": user, "item_id": items(n)}) for n, second in enumerate(seconds)
    ]


def uneven(n_events, mean, seed):
    """Times with gaps of 10% to 190% of the mean, as people leave them."""
    draw = random.Random(seed)
    times, now = [], 0.0
    for _ in range(n_events):
        times.append(now)
        now += mean * draw.uniform(0.1, 1.9)
    return times


def test_each_rule_finds_its_bot_and_spares_its_neighbour(records):
    days = [
        day_of("burst", [2.5 * n for n in range(21)]),
        day_of("no burst", [3.0 * n for n in range(21)]),
        day_of("flood", uneven(201, 60, 1)),
        day_of("no flood", uneven(200, 60, 2)),
        day_of("collector", uneven(51, 60, 3), items=str),
        day_of("no collector", uneven(51, 60, 4), items=lambda n: str(n % 50)),
        day_of("sleepless", [3600 * n + (n % 7) * 97 for n in range(21)]),
        day_of("sleeps", [3600 * n + (n % 7) * 97 for n in range(20)]),
        day_of("clock", [100 * n + n % 2 for n in range(30)]),
        day_of("no clock", uneven(30, 100, 5)),
    ]
    frame = records(*[case for day in days for case in day])

    verdicts = mark_bots(frame, CONFIG).select("label", "drop_reason").distinct().collect()

    assert {row.label: row.drop_reason for row in verdicts} == {
        "burst": "events_per_minute",
        "no burst": None,
        "flood": "events_per_day",
        "no flood": None,
        "collector": "items_per_day",
        "no collector": None,
        "sleepless": "active_hours",
        "sleeps": None,
        "clock": "steady_gaps",
        "no clock": None,
    }


def test_a_verdict_holds_for_its_day_alone_and_null_turns_rules_off(records):
    cases = [*day_of("u", [2.5 * n for n in range(21)]), ("next day", 90_000, {"user_id": "u"})]

    found = {r.label: r.drop_reason for r in mark_bots(records(*cases), CONFIG).collect()}
    off = BotConfig(
        **dict.fromkeys(
            BotConfig.model_fields.keys()
            & {
                "events_per_minute",
                "events_per_day",
                "items_per_day",
                "active_hours",
                "steady_gap_events",
            }
        )
    )

    assert found == {"u": "events_per_minute", "next day": None}
    assert mark_bots(records(*cases), off).where("drop_reason IS NOT NULL").isEmpty()
