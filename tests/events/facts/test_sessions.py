"""Sessions and dwell."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

import pandas as pd
import pytest

from interest_graph.config import CleanConfig
from interest_graph.events.facts import clean_part

MINUTE = 60
DAY = 24 * 60 * MINUTE
CASES = {
    "a": (-100 * MINUTE,),
    "b": (-20 * MINUTE,),
    "c": (-5 * MINUTE,),
    "d": (10 * MINUTE,),
    "e": (40 * MINUTE,),
    "f": (40 * MINUTE + 1, {"item_id": "j"}),
    "g": (71 * MINUTE,),
}


def facts_of(events, cases, **settings):
    """Facts by label, in order of time; labels are given as event ids."""
    labelled = [
        (seconds, {**dict(*changes), "event_id": label})
        for label, (seconds, *changes) in cases.items()
    ]
    config = CleanConfig(session_gap_minutes=30, **settings)
    rows = clean_part(events(*labelled), config, None).facts.to_pylist()
    return {row["event_id"]: row for row in rows}


def numbers(facts):
    """label -> number of the session in order of time."""
    found, _ = pd.factorize(pd.Series([row["session_id"] for row in facts.values()]))
    return dict(zip(facts, found.tolist(), strict=True))


def test_sessions_end_at_a_gap_and_at_midnight(events):
    facts = facts_of(events, CASES, max_dwell_seconds=1000)

    dwell = {label: row["dwell_seconds"] for label, row in facts.items()}
    assert numbers(facts) == {"a": 0, "b": 1, "c": 1, "d": 2, "e": 2, "f": 2, "g": 3}
    assert dwell == {"a": None, "b": 900, "c": None, "d": 1000, "e": 1, "f": None, "g": None}


def test_sessions_may_pass_midnight(events):
    facts = facts_of(events, CASES, session_ends_at_midnight=False)

    assert numbers(facts) == {"a": 0, "b": 1, "c": 1, "d": 1, "e": 1, "f": 1, "g": 2}
    assert facts["c"]["dwell_seconds"] == 900


def test_a_session_passes_one_midnight_and_no_second(events):
    cases = {str(n): (n * 20 * MINUTE,) for n in range(-2, 24 * 3 + 2)}

    facts = facts_of(events, cases, session_ends_at_midnight=False)

    second_midnight = DAY // (20 * MINUTE) * 1
    ids = {int(label): row["session_id"] for label, row in facts.items()}
    assert ids[-2] == ids[0] == ids[second_midnight - 1]
    assert ids[second_midnight] != ids[0]


def test_a_session_id_is_a_digest_of_user_and_first_time(events):
    facts = facts_of(events, {"first": (60,), "next": (120,), "v": (0, {"user_id": "v\x00ü"})})

    start = int(datetime(2024, 1, 2, 0, 1, tzinfo=UTC).timestamp()) * 1_000_000
    expected = hashlib.md5(f"u\x01{start}".encode()).hexdigest()
    assert facts["first"]["session_id"] == facts["next"]["session_id"] == expected
    other = hashlib.md5(f"v\x00ü\x01{start - 60_000_000}".encode()).hexdigest()
    assert facts["v"]["session_id"] == other


@pytest.mark.parametrize(("pause", "n_sessions"), [(1800, 1), (1800.000001, 2)])
def test_a_gap_of_exactly_the_limit_does_not_end_a_session(events, pause, n_sessions):
    facts = facts_of(events, {"a": (0.1,), "b": (0.1 + pause,)})

    assert len({row["session_id"] for row in facts.values()}) == n_sessions
