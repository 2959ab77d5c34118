"""Sessions and dwell."""

from __future__ import annotations

import pandas as pd
import pytest

from interest_graph.config import CleanConfig
from interest_graph.events.sessions import add_sessions

MINUTE = 60
CASES = [
    ("a", -100 * MINUTE),
    ("b", -20 * MINUTE),
    ("c", -5 * MINUTE),
    ("d", 10 * MINUTE),
    ("e", 40 * MINUTE),
    ("f", 40 * MINUTE + 1, {"item_id": "j"}),
    ("g", 71 * MINUTE),
]


@pytest.fixture
def sessions(records):
    """(label -> session number in order of time, label -> dwell) of CASES."""

    def make(**settings):
        frame = add_sessions(records(*CASES), CleanConfig(session_gap_minutes=30, **settings))
        rows = {row.label: row for row in frame.collect()}
        ids = [rows[label[0]].session_id for label in CASES]
        numbers = pd.factorize(pd.Series(ids))[0]
        by_label = dict(zip([case[0] for case in CASES], numbers.tolist(), strict=True))
        return by_label, {label: row.dwell_seconds for label, row in rows.items()}

    return make


def test_sessions_end_at_a_gap_and_at_midnight(sessions):
    numbers, dwell = sessions(max_dwell_seconds=1000)

    assert numbers == {"a": 0, "b": 1, "c": 1, "d": 2, "e": 2, "f": 2, "g": 3}
    assert dwell == {"a": None, "b": 900, "c": None, "d": 1000, "e": 1, "f": None, "g": None}


def test_sessions_may_pass_midnight(sessions):
    numbers, dwell = sessions(session_ends_at_midnight=False)

    assert numbers == {"a": 0, "b": 1, "c": 1, "d": 1, "e": 1, "f": 1, "g": 2}
    assert dwell["c"] == 900


def test_a_session_passes_one_midnight_and_no_second(records):
    day = 24 * 60 * MINUTE
    steps = range(-2, 24 * 3 + 2)
    cases = [(f"{n}", n * 20 * MINUTE) for n in steps]
    config = CleanConfig(session_gap_minutes=30, session_ends_at_midnight=False)

    rows = add_sessions(records(*cases), config).collect()

    ids = {int(row.label): row.session_id for row in rows}
    assert ids[-2] == ids[0] == ids[day // (20 * MINUTE) - 1]
    assert ids[day // (20 * MINUTE)] != ids[0]


def test_ids_differ_between_users_and_repeat_between_runs(records):
    frame = records(("a", 0), ("b", 0, {"user_id": "v"}))

    first, again = (add_sessions(frame, CleanConfig()).collect() for _ in range(2))

    assert {row.label: row.session_id for row in first} == {r.label: r.session_id for r in again}
    assert len({row.session_id for row in first}) == 2


def test_rows_come_in_the_order_of_their_days_without_another_sort(records):
    sessions = add_sessions(records(*CASES), CleanConfig())

    ordered = sessions.sortWithinPartitions("event_date")

    assert ordered._jdf.queryExecution().executedPlan().toString().count("Sort [") == 1
