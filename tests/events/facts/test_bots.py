"""Bot rules, each broken by one user and kept by the next."""

from __future__ import annotations

import random
from datetime import date

import pytest

from interest_graph.config import CleanConfig
from interest_graph.config.clean import BotConfig
from interest_graph.events.facts import clean_part

LIMITS = {
    "events_per_minute": 20,
    "events_per_day": 200,
    "items_per_day": 50,
    "active_hours": 20,
    "steady_gap_events": 30,
    "steady_gap_variation": 0.05,
}
OFF = dict.fromkeys(set(LIMITS) - {"steady_gap_variation"})


def day_of(user, seconds, items=lambda n: "i"):
    return [(second, {"user_id": user, "item_id": items(n)}) for n, second in enumerate(seconds)]


def uneven(n_events, mean, seed):
    """Times with gaps of 10% to 190% of the mean, as people leave them."""
    draw = random.Random(seed)
    times, now = [], 0.0
    for _ in range(n_events):
        times.append(now)
        now += mean * draw.uniform(0.1, 1.9)
    return times


def listed(table, limits=LIMITS):
    """(user, day) -> (rule, number of events) of the bots found."""
    config = CleanConfig(bots=BotConfig(**limits))
    rows = clean_part(table, config, None).bots.to_pylist()
    return {(row["user_id"], row["event_date"].day): (row["rule"], row["n_events"]) for row in rows}


def test_each_rule_finds_its_bot_and_spares_its_neighbour(events):
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
        day_of("short clock", [100 * n + n % 2 for n in range(29)]),
    ]

    assert listed(events(*[case for day in days for case in day])) == {
        ("burst", 2): ("events_per_minute", 21),
        ("flood", 2): ("events_per_day", 201),
        ("collector", 2): ("items_per_day", 51),
        ("sleepless", 2): ("active_hours", 21),
        ("clock", 2): ("steady_gaps", 30),
    }


def test_a_verdict_holds_for_its_day_alone_and_null_turns_rules_off(events):
    table = events(*day_of("u", [2.5 * n for n in range(21)]), (90_000, {"user_id": "u"}))

    assert listed(table) == {("u", 2): ("events_per_minute", 21)}
    assert listed(table, OFF) == {}


def test_the_first_rule_of_several_counts(events):
    clock = events(*day_of("u", [2.5 * n for n in range(250)], items=str))

    assert listed(clock) == {("u", 2): ("events_per_minute", 250)}
    assert listed(clock, {**LIMITS, "events_per_minute": None})["u", 2][0] == "events_per_day"


@pytest.mark.parametrize(
    ("seconds", "variation", "is_steady"),
    [
        ([0, 10], 0, True),  # one gap does not vary
        ([0], 0, False),  # no gap at all
        ([0, 86_399.999999], 0, True),
        ([n * 0.1 for n in range(900)], 0, True),  # exactly even: sums of doubles would differ
        ([n * 86.000001 + (n == 999) * 1e-6 for n in range(1000)], 0, False),
        ([0, 9, 20], 0.1, True),  # gaps 9 and 11: the deviation is exactly a tenth of the mean
        ([0, 9, 20], 0.0999, False),
    ],
)
def test_steadiness_is_exact(events, seconds, variation, is_steady):
    limits = {**OFF, "steady_gap_events": 1, "steady_gap_variation": variation}

    assert bool(listed(events(*day_of("u", seconds, items=str)), limits)) == is_steady


def test_crawlers_are_dropped_first_and_listed(events):
    crawl = [(n, {"user_id": "c", "is_crawler": True}) for n in (-1, 1, 1)]
    table = events(*crawl, (5, {"user_id": "c"}), (6, {"is_crawler": None}))

    cleaned = clean_part(table, CleanConfig(bots=BotConfig()), None)

    assert cleaned.counts["crawler_agent"] == 3
    assert cleaned.bots.to_pylist() == [
        {"user_id": "c", "event_date": date(2024, 1, day), "rule": "crawler_agent", "n_events": n}
        for day, n in ((1, 1), (2, 2))
    ]
    assert cleaned.facts["user_id"].to_pylist() == ["c", "u"]


@pytest.mark.parametrize("rules", [None, BotConfig(crawler_agents=False)])
def test_crawlers_stay_where_nobody_asks_for_them(events, rules):
    cleaned = clean_part(events((0, {"is_crawler": True})), CleanConfig(bots=rules), None)

    assert (len(cleaned.facts), len(cleaned.bots)) == (1, 0)
    assert "crawler_agent" not in cleaned.counts
