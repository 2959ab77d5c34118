"""Received texts to typed columns."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pyarrow as pa
import pytest

from interest_graph.config import SourceConfig, TimeFormat
from interest_graph.events.records import schema_of
from interest_graph.events.typed_records import TYPED, type_records

COLUMNS = {"user_id": "u", "item_id": "i", "event_time": "t"}
SHOP = SourceConfig(
    name="shop",
    path="in",
    columns={**COLUMNS, "action": "a", "value": "v", "event_id": "e"},
    actions={"pv": "view", "buy": "purchase", "show": "view"},
    time=TimeFormat(format="epoch_s"),
)
NUMBERS = {
    "3.5": 3.5,
    "3": 3.0,
    " 3 ": 3.0,
    "+3": 3.0,
    "-3": -3.0,
    ".5": 0.5,
    "5.": 5.0,
    "1e3": 1000.0,
    "1.5E-2": 0.015,
    "50000000000": 5e10,
    "0.1": 0.1,
    "9007199254740993": 9007199254740992.0,
    "123456789012345678901234567890": 1.2345678901234568e29,
    "0.30000000000000004": 0.30000000000000004,
    "1e-400": 0.0,
    "-0": 0.0,
    "": None,
    " \t": None,
    "many": None,
    "Infinity": None,
    "-inf": None,
    "NaN": None,
    "1e400": None,
    "5d": None,
    "5f": None,
    "5D": None,
    "0x1": None,
    "1_000": None,
    "1,5": None,
    "1 5": None,
    "--5": None,
    "e5": None,
    "٣": None,
}


def records(source, *rows):
    """rows: dicts of mapped columns."""
    full = [
        {"position": n, "length": 1, "is_readable": True, "payload": None, **row}
        for n, row in enumerate(rows)
    ]
    return pa.Table.from_pylist(full, schema_of(source.columns))


def typed(source, *rows):
    return type_records(records(source, *rows), source)


def test_each_source_has_its_own_actions_and_times():
    moment = datetime(2020, 5, 1, tzinfo=UTC)
    bare = SourceConfig(
        name="list",
        path="in",
        columns={"user_id": "u", "item_id": "i"},
        action="listen",
        time=TimeFormat(constant=moment),
    )
    good = {"user_id": " u1 ", "item_id": "", "action": "pv", "event_time": "1704103200"}
    bad = {"user_id": "u1", "item_id": "i1", "action": "zap", "event_time": "x", "value": "many"}

    shop = typed(SHOP, {**good, "value": "3.5"}, bad).to_pylist()
    (listened,) = typed(bare, {"user_id": "u1", "item_id": "i1"}).to_pylist()

    seen = ("user_id", "item_id", "action", "micros", "event_date", "value", "_value")
    assert [tuple(row[name] for name in seen) for row in [*shop, listened]] == [
        ("u1", None, "view", 1_704_103_200_000_000, date(2024, 1, 1), 3.5, "3.5"),
        ("u1", "i1", None, None, None, None, "many"),
        ("u1", "i1", "listen", 1_588_291_200_000_000, date(2020, 5, 1), None, None),
    ]


def test_texts_are_kept_as_received_and_unmapped_columns_are_null():
    row = {"user_id": "u", "item_id": "i", "action": " pv ", "event_time": " 5 ", "value": " 1.50 "}

    (found,) = typed(SHOP, {**row, "payload": '{"k":1}'}).to_pylist()

    kept = ("_action", "event_time", "_value", "payload", "user_agent", "source")
    assert [found[name] for name in kept] == [" pv ", " 5 ", " 1.50 ", '{"k":1}', None, "shop"]
    assert found["action"] == "view"


@pytest.mark.parametrize(("text", "number"), NUMBERS.items())
def test_a_value_is_a_finite_number_or_null(text, number):
    (row,) = typed(SHOP, {"value": text}).to_pylist()

    assert row["value"] == number


def test_values_of_all_kinds_in_one_column_keep_their_places():
    found = typed(SHOP, *[{"value": text} for text in [*NUMBERS, None]])

    assert found["value"].to_pylist() == [*NUMBERS.values(), None]


@pytest.mark.parametrize(
    ("text", "user_id"),
    [
        ("u", "u"),
        (" u", "u"),
        ("u ", "u"),
        ("  ", None),
        ("", None),
        (None, None),
        ("u\t", "u\t"),
        ("\u00a0u", "\u00a0u"),
        ("007", "007"),
        ("7.0", "7.0"),
        ("1e5", "1e5"),
        ("null", "null"),
        ("NaN", "NaN"),
        ("a\u0000b", "a\u0000b"),
        ("cafe\u0301", "cafe\u0301"),
    ],
)
def test_ids_lose_blanks_and_nothing_else(text, user_id):
    (row,) = typed(SHOP, {"user_id": text}).to_pylist()

    assert row["user_id"] == user_id


def test_written_actions_are_trimmed_names():
    source = SourceConfig(name="s", path="in", columns={**COLUMNS, "action": "a"})

    found = typed(source, *[{"action": text} for text in ("view", " view ", " ", "", None, "Buy")])

    assert found["action"].to_pylist() == ["view", "view", None, None, None, "Buy"]


def test_columns_of_several_chunks_and_of_none_have_the_schema():
    rows = [{"user_id": str(n), "action": action} for n, action in enumerate(("pv", "buy", "show"))]
    whole = records(SHOP, *rows)
    pieces = pa.concat_tables([whole.slice(1, 1), whole.slice(2), whole.slice(0, 1)])

    found = type_records(pieces, SHOP)

    assert found.schema.equals(TYPED)
    assert found["action"].to_pylist() == ["purchase", "view", "view"]
    assert found["user_id"].to_pylist() == ["1", "2", "0"]
    assert type_records(whole.slice(0, 0), SHOP).schema.equals(TYPED)
