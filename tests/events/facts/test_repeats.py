"""Repeats: which are dropped, and which record of a group stays."""

from __future__ import annotations

import pyarrow as pa
import pytest

from interest_graph.config import CleanConfig
from interest_graph.events.facts import clean_part, with_canonical_items
from interest_graph.events.facts.events import Events
from interest_graph.events.facts.repeats import (
    acts_of,
    without_repeated_events,
    without_repeated_ids,
)


def repeated_ids(table, labels):
    events = Events.of(table)
    _, dropped = without_repeated_ids(events, acts_of(events))
    return {labels[row] for row in dropped}


def reasons(table, labels, retry_seconds=0):
    found = without_repeated_events(acts_of(Events.of(table)), retry_seconds=retry_seconds)
    named = zip((None, "duplicate_event", "retry"), found, strict=True)
    return {labels[row]: reason for reason, rows in named for row in rows}


def test_the_earliest_record_of_an_event_id_stays(events):
    cases = {
        "late": (20, {"event_id": "e1"}),
        "later": (30, {"event_id": "e1"}),
        "early": (10, {"event_id": "e1"}),
        "other user": (20, {"event_id": "e1", "user_id": "v"}),
        "other source": (20, {"event_id": "e1", "source": "app"}),
        "other day": (-20, {"event_id": "e1"}),
        "other item": (20, {"event_id": "e1", "item_id": "j"}),
        "other action": (20, {"event_id": "e1", "action": "cart"}),
        "other id": (20, {"event_id": "e2"}),
        "no id": (20,),
        "no id either": (21,),
    }

    assert repeated_ids(events(*cases.values()), list(cases)) == {"late", "later"}


def test_of_records_with_one_id_and_time_the_larger_value_stays(events):
    cases = {
        "none": (10, {"event_id": "e1"}),
        "small": (10, {"event_id": "e1", "value": 1.0}),
        "large": (10, {"event_id": "e1", "value": 2.0}),
    }

    assert repeated_ids(events(*cases.values()), list(cases)) == {"none", "small"}


def test_of_equal_events_the_one_with_an_id_and_the_larger_value_stays(events):
    cases = {
        "plain": (10, {"value": 9.0}),
        "small": (10, {"event_id": "e1", "value": 1.0}),
        "large": (10, {"event_id": "e1", "value": 2.0}),
        "other item": (10, {"item_id": "j"}),
        "other action": (10, {"action": "cart"}),
        "other source": (10, {"source": "app"}),
        "other second": (11,),
    }

    found = reasons(events(*cases.values()), list(cases))

    assert {name for name, reason in found.items() if reason} == {"plain", "small"}
    assert {found["plain"], found["small"]} == {"duplicate_event"}


def test_retries_are_dropped_in_chains_and_across_midnight(events):
    cases = {
        "first": (-12,),
        "chained": (-3,),
        "past midnight": (6,),
        "the same second": (6,),
        "exactly at the limit": (16,),
        "a microsecond late": (26.000001,),
        "other action between": (0, {"action": "cart"}),
    }

    found = reasons(events(*cases.values()), list(cases), retry_seconds=10)

    assert found.pop("the same second") != found.pop("past midnight")  # alike: either may stay
    assert found == {
        "first": None,
        "chained": "retry",
        "exactly at the limit": "retry",
        "a microsecond late": None,
        "other action between": None,
    }


ORDERS = [  # (order, customer, items, seconds): orders of several items under one id
    ("o-1", "c1", "milk|bread|eggs", 0),
    ("o-2", "c2", "milk|wine", 60),
    ("o-2", "c2", "milk|wine", 60),
    ("o-3", "c1", "bread", 3600),
]


def lines_of(orders, **changes):
    """One record an item."""
    return [
        (seconds, {"event_id": order, "user_id": user, "item_id": item, **changes})
        for order, user, items, seconds in orders
        for item in items.split("|")
    ]


@pytest.mark.parametrize(
    ("lines", "n_facts", "n_dropped"),
    [
        pytest.param(lines_of(ORDERS), 6, 2, id="an order's items are several facts"),
        pytest.param(
            lines_of(ORDERS) + lines_of(ORDERS[:1], action="cart"), 9, 2, id="so are its actions"
        ),
        pytest.param(
            lines_of([("s", "c", "a|b", 0), ("s", "c", "a|b", 30)]), 2, 2, id="a later copy is none"
        ),
        pytest.param(
            lines_of([("s", "c", "a|b|a", 0)]), 2, 1, id="an item listed twice in an order is one"
        ),
        pytest.param(
            lines_of([("s", "c", "a", -1), ("s", "c", "b", 1)]), 2, 0, id="across midnight"
        ),
    ],
)
def test_an_id_stands_for_one_act_on_one_item(events, lines, n_facts, n_dropped):
    cleaned = clean_part(events(*lines), CleanConfig(), None)

    assert (len(cleaned.facts), cleaned.counts["duplicate_id"]) == (n_facts, n_dropped)


def test_items_of_an_order_that_are_one_item_become_one_fact(events):
    aliases = pa.table({"item_id": ["milk2"], "canonical_id": ["milk"]})
    order = events(*lines_of([("o", "c", "milk|milk2|wine", 0)]))

    facts = clean_part(with_canonical_items(order, aliases), CleanConfig(), None).facts

    assert facts["item_id"].to_pylist() == ["milk", "wine"]
