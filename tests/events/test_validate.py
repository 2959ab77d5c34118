"""Every rule refuses its row, and no other."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from interest_graph.config import CleanConfig, SourceConfig, TimeFormat
from interest_graph.events.typed import type_events
from interest_graph.events.validate import (
    accepted,
    built_in_rules,
    declared_rules,
    warnings_of,
    with_refusals,
)

AS_OF = datetime(2024, 1, 31, tzinfo=UTC)
GOOD = {"user_id": "u", "item_id": "i", "action": "rate", "event_time": "1704103200", "value": "3"}
CONFIG = CleanConfig(
    value_bounds={"rate": (1, 5)},
    value_caps={"dwell": 60},
    rules=[{"reason": "test_user", "column": "user_id", "must": "user_id NOT LIKE 'test%'"}],
)
CASES = {
    "missing_user_id": {"user_id": " "},
    "missing_item_id": {"item_id": None},
    "long_user_id": {"user_id": "x" * 513},
    "missing_action": {"action": None},
    "unknown_action": {"action": "zap"},
    "missing_time": {"event_time": None},
    "bad_time": {"event_time": "yesterday"},
    "future_time": {"event_time": "1706660000"},
    "ancient_time": {"event_time": "0"},
    "bad_value": {"value": "many"},
    "negative_value": {"action": "dwell", "value": "-1"},
    "value_out_of_bounds": {"value": "6"},
    "test_user": {"user_id": "test7"},
}


def refused(typed, rules):
    return with_refusals(typed, rules).where("_refusal IS NOT NULL").select("_refusal.*")


@pytest.fixture
def typed(spark):
    def make(*rows):
        columns = {"user_id": "u", "item_id": "i", "action": "a", "event_time": "t"}
        actions = {"rate": "rate", "dwell": "dwell"}
        time = TimeFormat(format="epoch_s")
        source = SourceConfig(name="s", path="in", columns=columns, actions=actions, time=time)
        names = ["event_id", "user_id", "item_id", "action", "event_time", "value", "user_agent"]
        full = [
            (
                "s",
                "f",
                n,
                *[row.get(name) for name in names],
                row.get("payload"),
                "raw" not in row,
                "b",
            )
            for n, row in enumerate(rows)
        ]
        texts = ", ".join(f"{name} STRING" for name in names)
        columns = f"source STRING, file STRING, position BIGINT, {texts}, payload STRING, "
        frame = spark.createDataFrame(full, columns + "is_readable BOOLEAN, batch_id STRING")
        return type_events(frame, [source])

    return make


def test_each_rule_refuses_for_its_own_reason_alone(typed):
    rules = [*built_in_rules(CONFIG, AS_OF), *declared_rules(CONFIG)]
    frame = typed(GOOD, *[{**GOOD, **changes} for changes in CASES.values()])

    rows = refused(frame, rules).orderBy("position").collect()

    assert [row.reasons for row in rows] == [[reason] for reason in CASES]
    assert [row.position for row in rows] == list(range(1, len(CASES) + 1))


def test_all_broken_rules_of_a_row_are_kept_with_the_record(typed):
    rules = built_in_rules(CONFIG, AS_OF)
    broken = {**GOOD, "item_id": "", "event_time": "x", "value": "-2", "action": "dwell"}

    frame = typed(broken, {"raw": True, "payload": "no, sense"})
    first, second = refused(frame, rules).orderBy("position").collect()

    assert first.reasons == ["missing_item_id", "bad_time", "negative_value"]
    assert '"event_time":"x"' in first.payload
    assert (second.reasons, second.payload) == (["unreadable"], "no, sense")


def test_accepted_rows_are_the_others_with_capped_values(typed):
    frame = typed(GOOD, {**GOOD, "action": "dwell", "value": "99"}, {**GOOD, "value": "0"})

    rows = accepted(frame, built_in_rules(CONFIG, AS_OF), CONFIG).collect()

    assert [(row.action, row.value) for row in rows] == [("rate", 3.0), ("dwell", 60.0)]


def test_a_warning_refuses_nothing(typed):
    rule = {"reason": "low", "column": "value", "must": "value > 3", "severity": "warn"}
    rules = declared_rules(CleanConfig(rules=[rule]))

    assert refused(typed(GOOD), rules).isEmpty()


def test_warnings_of_one_reason_count_a_record_once(typed):
    texts = {"low": ["value > 3", "value <> 2"], "user": ["user_id <> 'v'"]}
    rules = [
        {"reason": reason, "column": "value", "must": must, "severity": "warn"}
        for reason, musts in texts.items()
        for must in musts
    ]
    frame = typed(GOOD, {**GOOD, "value": "2"}, {**GOOD, "value": "4"}, {**GOOD, "value": None})

    holds = warnings_of(declared_rules(CleanConfig(rules=rules)))

    rows = frame.orderBy("position").select(*[c.alias(name) for name, c in holds.items()]).collect()
    assert [(row.low, row.user) for row in rows] == [
        (True, False),
        (True, False),
        (False, False),
        (False, False),
    ]
