"""The kernel beside a plain reading of its rules: lists of rows, one user at a time, no tricks."""

from __future__ import annotations

import hashlib
import random
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from interest_graph.config import CleanConfig
from interest_graph.events.facts import clean_part

RULES = ("events_per_minute", "events_per_day", "items_per_day", "active_hours", "steady_gaps")
DAY = 86_400_000_000
FIELDS = ("source", "event_id", "user_id", "item_id", "action", "micros", "value", "is_crawler")
SCHEMA = pa.schema(
    dict.fromkeys(FIELDS, pa.string())
    | {"micros": pa.int64(), "value": pa.float64(), "is_crawler": pa.bool_()}
)


def by(rows, *fields):
    """Rows in groups with equal values of the fields."""
    groups = defaultdict(list)
    for row in rows:
        groups[tuple(row[field] for field in fields)].append(row)
    return groups.values()


def content(row):
    """Event ids ascending, values descending, none last."""
    no_id, no_value = row["event_id"] is None, row["value"] is None
    return (no_id, row["event_id"] or "", no_value, -(row["value"] or 0))


def in_time(row):
    return (row["micros"], row["source"], row["item_id"], row["action"])


def drop_repeats(rows, retry_seconds):
    """Set `fate` of the rows that repeat another; return those that do not."""
    for group in by(rows, "source", "user_id", "day", "event_id", "item_id", "action"):
        ordered = sorted(group, key=lambda row: (row["micros"], content(row)))
        for row in ordered[1:]:
            row["fate"] = "duplicate_id" if row["event_id"] is not None else row["fate"]
    left = [row for row in rows if row["fate"] == "kept"]
    for group in by(left, "user_id", "source", "item_id", "action"):
        for before, row in pairwise(sorted(group, key=lambda r: (r["micros"], content(r)))):
            pause = row["micros"] - before["micros"]
            if pause <= retry_seconds * 1_000_000:
                row["fate"] = "retry" if pause else "duplicate_event"
    return [row for row in left if row["fate"] == "kept"]


def rule_of(day, config):
    """The first rule that these events of a user's day break, None for none."""
    times = sorted(row["micros"] for row in day)
    gaps = [after - before for before, after in pairwise(times)]
    k = config.events_per_minute
    if k and any(times[n + k] - times[n] < 60_000_000 for n in range(len(times) - k)):
        return "events_per_minute"
    if config.events_per_day and len(day) > config.events_per_day:
        return "events_per_day"
    if config.items_per_day and len({row["item_id"] for row in day}) > config.items_per_day:
        return "items_per_day"
    if config.active_hours and len({t // 3_600_000_000 for t in times}) > config.active_hours:
        return "active_hours"
    if config.steady_gap_events and gaps and len(day) >= config.steady_gap_events:
        mean = Fraction(sum(gaps), len(gaps))
        variance = Fraction(sum(gap * gap for gap in gaps), len(gaps)) - mean * mean
        if variance <= (Fraction(config.steady_gap_variation) * mean) ** 2:
            return "steady_gaps"
    return None


def drop_bots(rows, config):
    for day in by(rows, "user_id", "day"):
        for row in day:
            row["fate"] = rule_of(day, config) or "kept"
    return [row for row in rows if row["fate"] == "kept"]


def add_sessions(rows, config):
    limit = config.session_gap_minutes * 60_000_000
    keys = ("user_id", "day") if config.session_ends_at_midnight else ("user_id",)
    for group in by(rows, *keys):
        ordered = sorted(group, key=in_time)
        part = name = None  # times of the first events of the part of the day and of the session
        for before, row, after in zip(
            [None, *ordered[:-1]], ordered, [*ordered[1:], None], strict=True
        ):
            row["dwell"] = None
            if after and after["micros"] - row["micros"] <= limit:
                seconds = (after["micros"] - row["micros"]) / 1e6
                row["dwell"] = min(seconds, config.max_dwell_seconds)
            if before is None or row["micros"] - before["micros"] > limit:
                part = name = row["micros"]
            elif row["day"] != before["day"]:
                part, name = row["micros"], part
            row["session"] = md5(row["user_id"], name)


def md5(*parts):
    return hashlib.md5("\x01".join(map(str, parts)).encode()).hexdigest()


def expected(rows, config, days):
    """Facts, counts and bots as clean_part should give them."""
    rows = [{**dict(zip(FIELDS, row, strict=True)), "fate": "kept"} for row in rows]
    for row in rows:
        row["day"] = row["micros"] // DAY
        if config.bots and config.bots.crawler_agents and row["is_crawler"]:
            row["fate"] = "crawler_agent"
    distinct = drop_repeats([r for r in rows if r["fate"] == "kept"], config.retry_seconds)
    for row in distinct:
        act = [row[field] for field in ("source", "user_id", "item_id", "action", "micros")]
        row["event_id"] = md5(*act) if row["event_id"] is None else row["event_id"]
    kept = drop_bots(distinct, config.bots) if config.bots else distinct
    add_sessions(kept, config)
    facts = [fact(r) for r in sorted(kept, key=lambda r: (r["day"], r["user_id"], in_time(r)))]
    written = [r for r in rows if days is None or r["day"] in days]
    bots = Counter(
        (r["user_id"], date_of(r), r["fate"])
        for r in written
        if r["fate"] in (*RULES, "crawler_agent")
    )
    is_written = {date_of(r) for r in written}
    return [f for f in facts if f[5] in is_written], Counter(r["fate"] for r in written), bots


def date_of(row):
    return (datetime(1970, 1, 1) + timedelta(days=row["day"])).date()


def fact(row):
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=row["micros"])
    act = (row["event_id"], row["user_id"], row["item_id"], row["action"], moment, date_of(row))
    return (*act, row["value"], row["session"], row["dwell"], row["source"])


def check(rows, config, days):
    records = [dict(zip(FIELDS, row, strict=True)) for row in rows]
    table = pa.Table.from_pylist(records, SCHEMA)
    cleaned = clean_part(table, config, None if days is None else np.array(days, np.int32))
    facts, counts, bots = expected(rows, config, days)
    assert [tuple(row.values()) for row in cleaned.facts.to_pylist()] == facts
    assert {name: n for name, n in cleaned.counts.items() if n and name != "accepted"} == counts
    assert cleaned.counts["accepted"] == counts.total()
    found = [tuple(row.values()) for row in cleaned.bots.to_pylist()]
    assert found == [(*key, n) for key, n in sorted(bots.items())]


# Few values, so that records repeat each other; times close together, around midnights and 1970.
TIMES = st.builds(
    lambda midnight, second, micro: midnight * DAY + second * 1_000_000 + micro,
    st.sampled_from([-1, 0, 1, 2]),
    st.one_of(st.integers(-30, 30), st.sampled_from([0, 600, 1800, 3600, 40_000])),
    st.sampled_from([0, 0, 1, 500_000]),
)
ROWS = st.tuples(
    st.sampled_from(["log", "app"]),
    st.sampled_from([None, "e1", "e2", "É"]),
    st.sampled_from(["u", "v", "u\u00fc"]),
    st.sampled_from(["i", "j", "k"]),
    st.sampled_from(["view", "cart"]),
    TIMES,
    st.sampled_from([None, 0.0, 1.0, 2.5]),
    st.sampled_from([None, False, False, False, True]),
)
BOTS = {
    "events_per_minute": 4,
    "events_per_day": 9,
    "items_per_day": 2,
    "active_hours": 2,
    "steady_gap_events": 3,
    "steady_gap_variation": 0.5,
}
CONFIGS = st.builds(
    CleanConfig,
    bots=st.none() | st.sets(st.sampled_from(list(BOTS))).map(lambda on: {r: BOTS[r] for r in on}),
    retry_seconds=st.sampled_from([0, 5, 20]),
    session_gap_minutes=st.sampled_from([1, 30, 1440]),
    session_ends_at_midnight=st.booleans(),
    max_dwell_seconds=st.sampled_from([7.5, 1800.0]),
)
DAYS = st.none() | st.sets(st.integers(-2, 3)).map(sorted)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(rows=st.lists(ROWS, max_size=40), config=CONFIGS, days=DAYS)
def test_small_logs_full_of_ties(rows, config, days):
    check(rows, config, days)


@pytest.mark.parametrize("seed", range(6))
def test_long_logs(seed):
    draw = random.Random(seed)
    rows = [
        (
            draw.choice(["log", "app", "web"]),
            draw.choice([None, f"e{draw.randrange(400)}"]),
            f"u{draw.randrange(20)}",
            f"i{int(30 * draw.random() ** 3)}",
            draw.choice(["view", "view", "cart"]),
            draw.randrange(3) * DAY + draw.randrange(86_400 if seed % 2 else 1200) * 1_000_000,
            draw.choice([None, 1.0, 2.0]),
            draw.random() < 0.05,
        )
        for _ in range(3000)
    ]
    retries = [(*row[:5], row[5] + 3_000_000, *row[6:]) for row in draw.sample(rows, 600)]
    config = CleanConfig(
        bots={"events_per_minute": 30, "events_per_day": 60, "active_hours": 23},
        retry_seconds=10 * (seed % 3),
        session_ends_at_midnight=seed > 2,
    )
    check(rows + retries, config, [0, 1] if seed % 2 else None)
