"""Rows of users, items and social edges from records; no record is lost without a reason."""

from __future__ import annotations

import json

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from interest_graph.config import SourceConfig
from interest_graph.events.attribute_rows import Shaped, shape_rows, split_categories
from interest_graph.events.records import schema_of

COLUMNS = {
    "users": ("user_id", "city", "age"),
    "items": ("item_id", "title", "text", "categories", "price"),
    "social_edges": ("user_id", "friend_id", "weight"),
}
UNREADABLE = object()
LONG = "x" * 513


def source_of(kind, *columns):
    names = {name: name for name in columns or COLUMNS[kind]}
    return SourceConfig(name="s", kind=kind, path="in", columns=names)


def shape(kind, *rows, columns=()) -> Shaped:
    """Shape records; a row: its mapped values, or UNREADABLE. Positions are 0, 10, 20 ..."""
    source = source_of(kind, *columns)
    records = [
        {"position": 10 * n, "length": 9, "is_readable": False, "payload": f"raw {n}"}
        if row is UNREADABLE
        else {"position": 10 * n, "length": 9, "is_readable": True}
        | dict(zip(source.columns, row, strict=True))
        for n, row in enumerate(rows)
    ]
    return shape_rows(pa.Table.from_pylist(records, schema_of(source.columns)), source)


def reasons(shaped):
    return {row["position"]: row["reasons"] for row in shaped.refused.to_pylist()}


def test_users_hold_the_other_mapped_columns_as_attributes():
    shaped = shape(
        "users", (" u1 ", "Bern", " 30"), ("u2", None, ""), ("u3", "\t ", None), ("u1", "", "7")
    )

    assert shaped.rows.to_pylist() == [
        {"user_id": "u1", "attributes": [("city", "Bern"), ("age", " 30")], "position": 0},
        {"user_id": "u2", "attributes": [], "position": 10},
        {"user_id": "u3", "attributes": [], "position": 20},
        {"user_id": "u1", "attributes": [("age", "7")], "position": 30},
    ]
    assert not len(shaped.refused)


@pytest.mark.parametrize("columns", [("user_id",), ("city", "user_id")])
def test_the_order_and_number_of_mapped_columns_do_not_matter(columns):
    (row,) = shape("users", tuple("v" for _ in columns), columns=columns).rows.to_pylist()

    assert row["user_id"] == "v"
    assert row["attributes"] == [(name, "v") for name in columns if name != "user_id"]


def test_items_have_titles_texts_categories_and_attributes():
    shaped = shape(
        "items",
        ("a", " Ace of Aces ", " ", '["Action", "Indie", "RPG"]', "1.50"),
        ("b", '["not", "a list"]', '["as", "it is"]', "War| Drama |War||", None),
        ("c", None, None, None, None),
    )

    assert shaped.rows.drop_columns(["position"]).to_pylist() == [
        {
            "item_id": "a",
            "title": "Ace of Aces",
            "text": None,
            "categories": ["Action", "Indie", "RPG"],
            "attributes": [("price", "1.50")],
        },
        {
            "item_id": "b",
            "title": '["not", "a list"]',
            "text": '["as", "it is"]',
            "categories": ["War", "Drama"],
            "attributes": [],
        },
        {"item_id": "c", "title": None, "text": None, "categories": None, "attributes": []},
    ]


def test_items_without_mapped_texts_have_nulls():
    (row,) = shape("items", ("a",), columns=("item_id",)).rows.to_pylist()

    assert (row["title"], row["text"], row["categories"]) == (None, None, None)


@pytest.mark.parametrize(
    ("text", "categories"),
    [
        ("Action", ["Action"]),
        ("b|a|b", ["b", "a"]),
        ("a, b", ["a, b"]),
        ('["b", " a ", "b", "", " ", null]', ["b", "a"]),
        (' ["a|b"]\n', ["a|b"]),
        ('["\\u00e9\\n", "\U0001f600"]', ["\u00e9\n", "\U0001f600"]),
        ("[1, 12345678901234567890123, true]", ["1", "12345678901234567890123", "true"]),
        ('[["x"], {"a": 1}]', ['["x"]', '{"a":1}']),
        ("[]", None),
        ("[null]", None),
        ("[Action|Indie]", ["[Action", "Indie]"]),
        ('["a"] and ["b"]', ['["a"] and ["b"]']),
        ('["\\ud800"]', ['["\\ud800"]']),
        ('{"a": ["b"]}', ['{"a": ["b"]}']),
        (" | ", None),
        ("", None),
        (None, None),
    ],
)
def test_categories_are_the_elements_of_a_json_array_or_split(text, categories):
    assert split_categories(pa.array([text], pa.string()), "|").to_pylist() == [categories]


def test_a_delimiter_is_no_regular_expression():
    assert split_categories(pa.array(["a.b", "c"]), ".").to_pylist() == [["a", "b"], ["c"]]


@given(st.lists(st.none() | st.lists(st.sampled_from(["a", "b", " c ", ""]), max_size=6)))
def test_lists_and_split_texts_give_the_same_categories(lists):
    def expected(names):
        return list(dict.fromkeys(name.strip() for name in names or () if name.strip())) or None

    as_json = [None if names is None else json.dumps(names) for names in lists]
    as_text = [None if names is None else "|".join(names) for names in lists]
    for texts in (as_json, as_text):
        found = split_categories(pa.array(texts, pa.string()), "|").to_pylist()
        assert found == [expected(names) for names in lists]


@pytest.mark.parametrize(
    ("kind", "row", "why"),
    [
        ("users", UNREADABLE, ["unreadable"]),
        ("users", (None, "Oslo", "9"), ["missing_user_id"]),
        ("users", ("  ", "Oslo", "9"), ["missing_user_id"]),
        ("users", (LONG, None, None), ["long_user_id"]),
        ("items", UNREADABLE, ["unreadable"]),
        ("items", ("", "nameless", None, None, None), ["missing_item_id"]),
        ("items", (LONG, None, None, None, None), ["long_item_id"]),
        ("items", ('["a", "b"]', None, None, None, None), ["list_item_id"]),
        ("items", ("[]", None, None, None, None), ["list_item_id"]),
        ("social_edges", UNREADABLE, ["unreadable"]),
        ("social_edges", (None, None, None), ["missing_user_id", "missing_friend_id"]),
        ("social_edges", ("u", " ", "x"), ["missing_friend_id", "bad_weight"]),
        ("social_edges", ("u", LONG, "1"), ["long_friend_id"]),
        ("social_edges", ("u", " u ", "1"), ["self_edge"]),
        ("social_edges", ("u", "u", "-1"), ["self_edge", "weight_not_positive"]),
    ],
)
def test_refused_records_keep_every_reason(kind, row, why):
    shaped = shape(kind, row)

    assert (len(shaped.rows), reasons(shaped)) == (0, {0: why})


@pytest.mark.parametrize("text", ["[1.5]x", "[draft]", "512", "x" * 512])
def test_odd_ids_that_are_no_lists_are_kept(text):
    assert shape("items", (text,), columns=("item_id",)).rows["item_id"].to_pylist() == [text]


@pytest.mark.parametrize(
    ("text", "weight"),
    [
        (None, 1.0),
        ("", 1.0),
        (" \t", 1.0),
        (" 0.5 ", 0.5),
        ("+2", 2.0),
        (".5", 0.5),
        ("5.", 5.0),
        ("1e-3", 0.001),
        ("5E10", 5e10),
        *[(text, "bad_weight") for text in ("strong", "NaN", "nan", "Infinity", "-inf", "1e400")],
        *[(text, "bad_weight") for text in ("5d", "5f", "0x1", "1_000", "1,5", "1 2", "٣", "5\n5")],
        *[(text, "weight_not_positive") for text in ("0", "-0.0", "-1", "1e-400", "-1e-400")],
    ],
)
def test_weights_are_finite_positive_numbers(text, weight):
    shaped = shape("social_edges", ("u", "f", text))

    found = shaped.rows["weight"].to_pylist() or reasons(shaped)[0]
    assert found == [weight]


def test_edges_without_a_mapped_weight_weigh_1():
    shaped = shape("social_edges", ("u", "f"), columns=("user_id", "friend_id"))

    assert shaped.rows.to_pylist() == [
        {"user_id": "u", "friend_id": "f", "weight": 1.0, "position": 0}
    ]


def test_a_refusal_keeps_what_was_received():
    source = source_of("users")
    records = pa.Table.from_pylist(
        [
            {"position": 0, "is_readable": False, "payload": "u2,Washington, D.C.,41"},
            {"position": 23, "is_readable": True, "payload": '{"x":1}', "city": 'Zü"r\nich'},
        ],
        schema_of(source.columns),
    )

    broken, keyless = shape_rows(records, source).refused["payload"].to_pylist()

    assert broken == "u2,Washington, D.C.,41"
    assert json.loads(keyless) == {"city": 'Zü"r\nich', "payload": '{"x":1}'}


@pytest.mark.parametrize("kind", COLUMNS)
def test_no_records_give_empty_tables_of_the_same_schema(kind):
    filled, empty = shape(kind, UNREADABLE), shape(kind)

    assert (len(empty.rows), len(empty.refused)) == (0, 0)
    assert (empty.rows.schema, empty.refused.schema) == (filled.rows.schema, filled.refused.schema)


TEXTS = st.none() | st.sampled_from(["", " ", "a", "b", "-1", "NaN", '["a"]', "[", "a|b", LONG])


@pytest.mark.parametrize("kind", COLUMNS)
@given(data=st.data())
def test_every_record_becomes_a_row_or_a_refusal(kind, data):
    row = st.just(UNREADABLE) | st.tuples(*[TEXTS for _ in COLUMNS[kind]])
    rows = data.draw(st.lists(row, max_size=8))

    shaped = shape(kind, *rows)

    taken, refused = (part["position"].to_pylist() for part in shaped)
    assert sorted(taken + refused) == [10 * n for n in range(len(rows))]
    assert all(reasons(shaped).values())


def test_chunks_and_slices_do_not_matter():
    rows = [("u1", "Bern", "30"), UNREADABLE, ("u3", None, "1"), (None, "Oslo", "9")]
    source = source_of("users")
    whole = pa.Table.from_pylist(
        [
            {"position": n, "is_readable": row is not UNREADABLE}
            | ({} if row is UNREADABLE else dict(zip(source.columns, row, strict=True)))
            for n, row in enumerate(rows)
        ],
        schema_of(source.columns),
    )
    chunked = pa.concat_tables([whole.slice(0, 1), whole.slice(1, 2), whole.slice(3)])

    assert shape_rows(chunked, source) == shape_rows(whole, source)
    assert shape_rows(whole.slice(1), source).rows.to_pylist() == [
        {"user_id": "u3", "attributes": [("age", "1")], "position": 2}
    ]


def test_attributes_may_be_called_as_the_fixed_columns_of_records():
    source = source_of("items", "item_id", "length", "position")
    fixed = {"position": [7], "length": [20], "is_readable": [True], "payload": [None]}
    arrays = [pa.array(values) for values in fixed.values()]
    records = pa.table([*arrays, ["a"], ["90 min"], ["top"]], schema=schema_of(source.columns))

    (row,) = shape_rows(records, source).rows.to_pylist()

    assert (row["position"], row["attributes"]) == (7, [("length", "90 min"), ("position", "top")])
