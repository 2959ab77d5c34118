"""Repeats: which are dropped, and which record of a group stays."""

from __future__ import annotations

from interest_graph.events.deduplicate import (
    mark_repeated_events,
    mark_repeated_ids,
    with_event_id,
)


def reasons(marked):
    return {row.label: row.drop_reason for row in marked.collect()}


def test_the_earliest_record_of_an_event_id_stays(records):
    frame = records(
        ("late", 20, {"event_id": "e1"}),
        ("early", 10, {"event_id": "e1", "item_id": "j"}),
        ("other user", 20, {"event_id": "e1", "user_id": "v"}),
        ("other source", 20, {"event_id": "e1", "source": "app"}),
        ("other day", -20, {"event_id": "e1"}),
        ("no id", 20),
        ("no id either", 20),
    )

    assert {k for k, v in reasons(mark_repeated_ids(frame)).items() if v} == {"late"}


def test_of_equal_events_the_one_with_an_id_and_the_larger_value_stays(records):
    frame = records(
        ("plain", 10, {"value": 9.0}),
        ("small", 10, {"event_id": "e1", "value": 1.0}),
        ("large", 10, {"event_id": "e1", "value": 2.0}),
        ("other item", 10, {"item_id": "j"}),
        ("other action", 10, {"action": "cart"}),
        ("other second", 11),
    )

    found = reasons(mark_repeated_events(frame, retry_seconds=0))

    dropped = {label for label, reason in found.items() if reason == "duplicate_event"}
    assert dropped == {"plain", "small"}


def test_retries_are_dropped_in_chains_and_across_midnight(records):
    frame = records(
        ("first", -12),
        ("chained", -3),
        ("past midnight", 6),
        ("the same second", 6),
        ("too late", 17),
        ("other action between", 0, {"action": "cart"}),
    )

    assert reasons(mark_repeated_events(frame, retry_seconds=10)) == {
        "first": None,
        "chained": "retry",
        "past midnight": "retry",
        "the same second": "duplicate_event",
        "too late": None,
        "other action between": None,
    }


def test_derived_ids_say_what_the_event_is(records):
    frame = records(("a", 1), ("b", 1), ("c", 2), ("given", 1, {"event_id": "e1"}))

    ids = {row.label: row.event_id for row in with_event_id(frame).collect()}

    assert ids["a"] == ids["b"] != ids["c"]
    assert ids["given"] == "e1"
