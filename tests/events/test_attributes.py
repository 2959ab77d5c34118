"""Merging of attributes to one row a key."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from interest_graph.events.attributes import FILE, POSITION, as_given, complete_items, merge

TEXTS, MAP = pa.list_(pa.string()), pa.map_(pa.string(), pa.string())
ITEMS = pa.schema(
    [
        ("item_id", pa.string()),
        ("title", pa.string()),
        ("text", pa.string()),
        ("categories", TEXTS),
        ("attributes", MAP),
    ]
)
EDGES = pa.schema([("user_id", pa.string()), ("friend_id", pa.string()), ("weight", pa.float64())])


def table(rows, schema=ITEMS):
    """rows: one tuple a row."""
    return pa.Table.from_pylist([dict(zip(schema.names, row, strict=True)) for row in rows], schema)


def records(*rows, schema=ITEMS):
    """rows: rank of the file, position, then the columns."""
    return table(rows, pa.schema([(FILE, pa.int64()), (POSITION, pa.int64()), *schema]))


def merged(new, stored=(), schema=ITEMS):
    """What is stored after the records were merged in, and whether it is not what was there."""
    held = stored if isinstance(stored, pa.Table) else table(stored, schema)
    key = [name for name in schema.names if name.endswith("_id")]
    found = merge(records(*new, schema=schema), held, key)
    return pa.concat_tables([found.others, found.rows]), found.is_changed


def by_key(rows):
    """item_id -> (title, text, categories, attributes)."""
    return {
        row["item_id"]: (row["title"], row["text"], row["categories"], dict(row["attributes"]))
        for row in rows.to_pylist()
    }


def test_later_files_win_column_by_column_over_stored_rows():
    rows, is_changed = merged(
        [
            (2, 0, "1", "second", None, None, {}),
            (1, 0, "1", "first", None, ["War", "Drama"], {"year": "1999"}),
            (2, 1, "2", None, None, None, {"year": "2001"}),
        ],
        [("1", "zeroth", "zeroth", [], {"year": "1", "brand": "b"})],
    )

    assert is_changed
    assert by_key(rows) == {
        "1": (
            "second",
            "second. War, Drama",
            ["War", "Drama"],
            {"year": "1999", "brand": "b"},
        ),
        "2": (None, None, [], {"year": "2001"}),
    }


def test_within_a_file_the_later_record_wins_and_null_never_does():
    rows, _ = merged(
        [(0, 9, "1", None, "t", None, {}), (0, 1, "1", "b", None, ["x"], {"n": "2"})],
        [("1", "a", "given", ["y"], {"n": "1", "m": "1"})],
    )

    assert by_key(rows) == {"1": ("b", "t", ["x"], {"n": "2", "m": "1"})}


def test_names_keep_the_order_they_came_in():
    first, _ = merged([(0, 0, "1", None, None, None, {"b": "1", "a": "1"})])
    rows, _ = merged([(0, 0, "1", None, None, None, {"0": "2", "a": "2"})], first)

    assert rows["attributes"].to_pylist() == [[("b", "1"), ("a", "2"), ("0", "2")]]


def test_completed_text_is_made_anew_when_a_title_comes_later_and_given_text_stays():
    first, _ = merged(
        [(0, 0, "1", None, None, ["War"], {}), (0, 1, "2", "Old", "Given", ["War"], {})]
    )
    assert [row[1] for row in by_key(first).values()] == ["War", "Given"]

    rows, _ = merged(
        [(0, 0, "1", "New", None, None, {}), (0, 1, "2", "New", None, None, {})], first
    )

    assert [row[:2] for row in by_key(rows).values()] == [("New", "New. War"), ("New", "Given")]


def test_what_is_stored_already_is_no_change():
    new = [(0, 0, "1", "One", None, ["War"], {"b": "1", "a": "1"})]
    stored, _ = merged([*new, (0, 1, "2", "Two", None, None, {})])

    again, is_changed = merged(new, stored)

    assert not is_changed
    assert by_key(again) == by_key(stored)


def test_stored_rows_of_other_keys_stay_as_they_are():
    stored = table([("1", "One", None, None, None), ("2", "Two", None, ["a", None], {"x": None})])

    found = merge(records((0, 0, "3", "Three", None, None, {})), stored, ["item_id"])

    assert found.others.equals(stored)
    assert found.rows["item_id"].to_pylist() == ["3"]


def test_rows_that_others_wrote_may_hold_null_everywhere():
    stored = [("1", None, None, ["a", None, "b"], {"x": None, "y": "1"}), ("2", *[None] * 4)]
    new = [(0, 0, "1", None, None, None, {}), (0, 1, "2", None, None, None, {})]

    rows, is_changed = merged(new, stored)

    assert is_changed
    assert by_key(rows) == {
        "1": (None, "a, b", ["a", None, "b"], {"x": None, "y": "1"}),
        "2": (None, None, [], {}),
    }


def test_an_edge_has_two_ends_and_the_newest_weight():
    new = [(0, 5, "a", "b", 2.0), (0, 6, "b", "a", 3.0), (1, 0, "a", "b", 4.0), (0, 7, "ab", "", 1)]
    rows, _ = merged(new, [("a", "b", 1.0), ("a", "c", 1.0)], EDGES)

    found = {(row["user_id"], row["friend_id"]): row["weight"] for row in rows.to_pylist()}
    assert found == {("a", "b"): 4, ("b", "a"): 3, ("a", "c"): 1, ("ab", ""): 1}


@pytest.mark.parametrize("schema", [ITEMS, EDGES])
def test_nothing_merged_with_nothing_is_nothing(schema):
    rows, is_changed = merged([], schema=schema)

    assert (rows.num_rows, is_changed) == (0, False)
    assert rows.schema.equals(schema)


def test_completing_is_undone_by_as_given():
    given_rows = table([("1", "A", None, ["x", "y"], {}), ("2", "A", "A. x", None, {})])

    completed = complete_items(given_rows)

    assert completed["text"].to_pylist() == ["A. x, y", "A. x"]
    assert as_given(completed).equals(given_rows)


# No text that could have been made of titles and categories: it would be taken for a made one.
_rows = st.lists(
    st.tuples(
        st.sampled_from("123"),
        st.sampled_from([None, "a", "b"]),
        st.sampled_from([None, None, "given", "text"]),
        st.none() | st.lists(st.sampled_from("xy"), min_size=1, unique=True),
        st.dictionaries(st.sampled_from("mno"), st.sampled_from("12")),
    ),
    max_size=12,
)


def plain(rows):
    """The same in plain Python: item_id -> values. rows: from old to new, as given."""
    found = {}
    for key, *values, attributes in rows:
        held = found.setdefault(key, [None, None, None, {}])
        held[:3] = [old if new is None else new for old, new in zip(held[:3], values, strict=True)]
        held[3] = {**held[3], **attributes}
    for held in found.values():
        title, text, categories, _ = held
        parts = [part for part in (title, ", ".join(categories or [])) if part]
        held[1:3] = [". ".join(parts) or None if text is None else text, categories or []]
    return {key: tuple(held) for key, held in found.items()}


@given(_rows, st.randoms(use_true_random=False), st.integers(0, 12))
def test_merging_agrees_with_plain_python_in_any_order_and_in_one_run_or_two(rows, random, cut):
    numbered = [(n // 4, n, *row) for n, row in enumerate(rows)]
    shuffled = random.sample(numbered, len(numbered))

    at_once, _ = merged(shuffled)
    first, _ = merged([row for row in shuffled if row[1] < cut])
    later, is_changed = merged([row for row in shuffled if row[1] >= cut], first)

    assert by_key(at_once) == plain(rows)
    assert is_changed == (by_key(first) != by_key(later))
    assert at_once.sort_by("item_id").equals(later.sort_by("item_id"))
