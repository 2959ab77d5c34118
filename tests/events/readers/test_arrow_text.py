"""Values of every declared type as text, as ids and as JSON."""

from __future__ import annotations

import datetime as dt
import json
import uuid
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interest_graph.events.readers.arrow_text import json_of, objects_of, text_of

INSTANT = dt.datetime(2024, 5, 1, 10, 0, 0, 120_000)
NANOS = pa.array([1_714_557_600_000_000_001, 1_714_557_600_000_000_000], pa.timestamp("ns"))

TEXTS = [
    (pa.array([2**64 - 1, 0], pa.uint64()), ["18446744073709551615", "0"]),
    (pa.array([-(2**63), None], pa.int64()), ["-9223372036854775808", None]),
    (pa.array([1.5, 1e300, -0.0]), ["1.5", "1e+300", "-0"]),
    (pa.array([float("nan"), float("-inf")]), ["NaN", "-Infinity"]),
    (pa.array([0.1], pa.float32()), ["0.1"]),
    (
        pa.array([Decimal("1e-8"), Decimal(0)], pa.decimal128(38, 10)),
        ["0.0000000100", "0.0000000000"],
    ),
    (pa.array([Decimal("9" * 60)], pa.decimal256(60, 0)), ["9" * 60]),
    (pa.array([True, False, None]), ["true", "false", None]),
    (pa.array(["", " a ", "é中"], pa.large_string()), ["", " a ", "é中"]),
    (pa.array(["a", None, "a"]).dictionary_encode(), ["a", None, "a"]),
    (pa.array([b"caf\xc3\xa9", b"a\xff"]), ["café", "a\\xff"]),
    (pa.array([b"ab"], pa.binary(2)), ["ab"]),
    (pa.array([INSTANT], pa.timestamp("ms")), ["2024-05-01T10:00:00.120"]),
    (pa.array([INSTANT], pa.timestamp("us", "Europe/Berlin")), ["2024-05-01T10:00:00.120Z"]),
    (pa.array([0, -1], pa.timestamp("s", "UTC")), ["1970-01-01T00:00:00Z", "1969-12-31T23:59:59Z"]),
    (NANOS, ["2024-05-01T10:00:00.000000001", "2024-05-01T10:00:00"]),
    (pa.array([dt.date(2024, 5, 1)]), ["2024-05-01"]),
    (pa.array([dt.date(2024, 5, 1)], pa.date64()), ["2024-05-01"]),
    (pa.array([dt.time(10), dt.time(1, 2, 3, 4)]), ["10:00:00", "01:02:03.000004"]),
    (pa.array([1500, -20_000, 0], pa.duration("ms")), ["1.5", "-20", "0"]),
    (pa.array([None, None]), [None, None]),
    (pa.array([["a", None, 'q"'], [], None]), ['["a",null,"q\\""]', "[]", None]),
    (pa.array([[1, 2]], pa.list_(pa.int8(), 2)), ["[1,2]"]),
    (pa.array([{"a": 1, "b": None}, None]), ['{"a":1}', None]),
    (
        pa.array([[("k", 1.5), ("l", None)]], pa.map_(pa.string(), pa.float64())),
        ['{"k":1.5,"l":null}'],
    ),
]


@pytest.mark.parametrize(
    ("column", "texts"), TEXTS, ids=lambda value: str(getattr(value, "type", ""))
)
def test_a_value_becomes_the_text_of_its_type(column, texts):
    assert text_of(column).to_pylist() == texts


@pytest.mark.parametrize(
    ("column", "ids"),
    [
        (
            pa.array([12345678.0, 2.0**53 + 2, 1e20, None]),
            ["12345678", "9007199254740994", "1" + "0" * 20, None],
        ),
        (pa.array([float("nan"), -0.0, 1.5, 1e-7]), [None, "0", "1.5", "0.0000001"]),
        (pa.array([16777216.0], pa.float32()), ["16777216"]),
        (pa.array([1714557600000000.5]), ["1714557600000000.5"]),
        (pa.array([Decimal("7.00"), Decimal("7.50")]), ["7", "7.50"]),
        (pa.array([Decimal("100")], pa.decimal128(38, 0)), ["100"]),
        (pa.array([[12345678.0, None]]), ["[12345678,null]"]),
        (pa.array(["007", "1e3"]), ["007", "1e3"]),
    ],
)
def test_ids_that_became_numbers_are_integers_again(column, ids):
    assert text_of(column, whole=True).to_pylist() == ids


def test_text_that_is_not_utf8_stays_readable():
    raw = pa.array([b"ok", b"a\xff", None])
    column = pa.Array.from_buffers(pa.string(), 3, raw.buffers(), null_count=1)

    assert text_of(column).to_pylist() == ["ok", "a\\xff", None]


def test_a_uuid_has_its_usual_form():
    if not hasattr(pa, "uuid"):
        pytest.skip("this version of Arrow has no type of UUIDs")
    column = pa.array([uuid.UUID(int=5).bytes, None], pa.uuid())

    assert text_of(column).to_pylist() == [str(uuid.UUID(int=5)), None]


def test_slices_have_the_texts_of_their_rows():
    lists = pa.array([[1], None, [2, 3], []])
    maps = pa.array([[("a", 1)], None, [("b", 2)]], pa.map_(pa.string(), pa.int64()))

    assert text_of(lists[2:]).to_pylist() == ["[2,3]", "[]"]
    assert text_of(maps[1:]).to_pylist() == [None, '{"b":2}']


def test_numbers_that_json_lacks_are_strings():
    assert json_of(pa.array([1.5, float("nan"), None])).to_pylist() == ["1.5", '"NaN"', None]


def test_objects_leave_out_null_fields_and_are_null_without_any():
    fields = [pa.array(["1", None, None]), pa.array(['"x"', '"y"', None])]

    assert objects_of(["a", 'b"'], fields, 3).to_pylist() == [
        '{"a":1,"b\\"":"x"}',
        '{"b\\"":"y"}',
        None,
    ]
    assert objects_of([], [], 2).to_pylist() == [None, None]


scalars = st.none() | st.integers(-(2**63), 2**63 - 1)
rows = st.fixed_dictionaries(
    {
        "n": st.lists(scalars) | st.none(),
        "s": st.text(st.characters(exclude_categories=["Cs"])) | st.none(),
        "in": st.fixed_dictionaries(
            {"x": st.floats(allow_nan=False, allow_infinity=False) | st.none()}
        ),
    }
)
ROW = pa.struct(
    [("n", pa.list_(pa.int64())), ("s", pa.string()), ("in", pa.struct([("x", pa.float64())]))]
)


@settings(max_examples=100, deadline=None)
@given(st.lists(rows | st.none(), min_size=1), st.data())
def test_json_of_any_rows_says_what_they_hold(values, data):
    start = data.draw(st.integers(0, len(values) - 1))

    texts = json_of(pa.array(values, ROW)[start:]).to_pylist()

    assert [text if text is None else json.loads(text) for text in texts] == [
        _without_nulls(value) for value in values[start:]
    ]


def _without_nulls(value):
    if isinstance(value, dict):
        return {key: _without_nulls(v) for key, v in value.items() if v is not None}
    return value
