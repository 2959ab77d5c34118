"""JSON text to records: which text is a record, where it is, and what it says."""

from __future__ import annotations

import json
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interest_graph.config import SourceConfig
from interest_graph.errors import DataError
from interest_graph.events.readers import json_records
from interest_graph.events.readers.json_records import end_of_records, inspect, read_window
from interest_graph.events.records import Layout, readable, schema_of

PUNCTUATION = b" \t\n\r\v\f[],"


def source(columns=None, **settings):
    columns = columns or {"user_id": "u", "item_id": "i", "event_time": "t"}
    return SourceConfig(
        name="s", path="/in", format="json", columns=columns, action="view", **settings
    )


def read(text, columns=None, *, is_whole=None):
    """The records of a text in the layout that inspect finds, or in the one given."""
    window = text if isinstance(text, bytes) else text.encode()
    layout = Layout(is_whole=is_whole)
    if is_whole is None:
        layout = inspect(window, source(optional=["user_id", "item_id", "event_time"]))
    records = read_window(window, 0, source(columns), layout)
    assert records.schema.equals(schema_of(source(columns).columns))
    assert_conserved(window, records.to_pylist())
    return records.to_pylist()


def assert_conserved(window, records):
    """Every byte lies in exactly one record, or is blank or punctuation between records."""
    at = 3 if window.startswith(b"\xef\xbb\xbf") else 0
    for record in records:
        start, end = record["position"], record["position"] + record["length"]
        assert at <= start < end
        assert is_no_text(window[at:start])
        if not record["is_readable"]:
            assert record["payload"] == readable(window[start:end])
        at = end
    assert is_no_text(window[at:])


def is_no_text(between):
    return not between.replace(b"\xef\xbb\xbf", b"").strip(PUNCTUATION)


def event(user, **more):
    return json.dumps({"u": user, "i": "a", "t": 1, **more})


def users(records):
    return [
        r["u"] if "u" in r else r["user_id"] if r["is_readable"] else r["payload"] for r in records
    ]


A, B, C = event("a"), event("b"), event("c", more={"x": [{"y": "}{"}]})


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (A + B, ["a", "b"]),
        (f"{A}, {B},{C}", ["a", "b", "c"]),
        (f"[{A},{B}]", ["a", "b"]),
        (f"[[{A}], [{B}]]", ["a", "b"]),
        (f"{A} trailing rubbish", ["a", "trailing rubbish"]),
        (f"INFO {A}{B} end", ["INFO", "a", "b", "end"]),
        (f"{A}}}{B}", ["a", "}", "b"]),
        (f'{A}{{"u":1', ["a", '{"u":1']),
        (f'{{"u" 1}}{B}', ['{"u" 1}', "b"]),
        (f'{A}"{B}', ["a", f'"{B}']),
        ("[1]", ["[1]"]),
        ("null", ["null"]),
        ("[]", []),
        ("],", []),
        (f"\ufeff{A}", ["a"]),
        ("[" * 1_000_000, []),
        ("  \t", []),
    ],
)
def test_every_object_of_a_line_is_a_record_and_other_text_is_refused(line, expected):
    assert users(read(f"{C}\n{line}\n{C}\n", is_whole=False)) == ["c", *expected, "c"]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\n\n", " \r\n\t\n"])
def test_line_ends_and_blank_lines(end):
    records = read("\ufeff" + end.join([A, "broken", B]) + end, is_whole=False)

    assert users(records) == ["a", "broken", "b"]
    assert [r["length"] for r in records][1] >= len("broken")


def test_the_fused_lines_of_a_log_lose_nothing():
    lines = [A, A + B, B + C + event("d"), f"{event('e')} trailing rubbish"]

    records = read("\n".join(lines))

    assert users(records) == ["a", "a", "b", "b", "c", "d", "e", "trailing rubbish"]


_ODD_LINES = st.sampled_from(
    [
        "{broken",
        'x{"u":"a"}{"u":"b"} y',
        '  {"u":"c"}  ',
        "",
        " \v ",
        "null",
        '{"u":"d"}\r',
        '{"u":"\\ud800"}',
        '{"u":1.0,"x":{"y":2}}',
    ]
)


@given(st.lists(st.one_of(_ODD_LINES, st.just(event("e"))), max_size=12))
def test_records_of_odd_lines_stand_where_the_lines_do(lines):
    """Rows are cut out and put between, or taken one by one: a few among many, or many."""
    text = "\n".join(lines)
    with mock.patch.object(json_records, "_MOST_CUTS", 0):
        found = read(text, is_whole=False)
    with mock.patch.object(json_records, "_MOST_CUTS", 10**9):
        assert found == read(text, is_whole=False)
    assert [record["position"] for record in found] == sorted(r["position"] for r in found)
    assert sum(record["user_id"] == "e" for record in found) == lines.count(event("e"))


def test_unicode_line_separators_do_not_end_a_line():
    line = '{"u":"a\u2028b","i":"\x85","t":1}'

    assert users(read(f"{line}\n{B}\n")) == ["a\u2028b", "b"]


def test_a_carriage_return_is_white_space():
    assert users(read('\r{"u":\r"a"}\r\r\n' + B, is_whole=False)) == ["a", "b"]


@pytest.mark.parametrize("indent", [None, 0, 1, 2, "\t"])
@pytest.mark.parametrize("shape", ["array", "concatenated", "two arrays"])
def test_objects_over_several_lines(indent, shape):
    events = [json.loads(one) for one in (A, B, C)]
    if shape == "concatenated":
        text = "".join(json.dumps(one, indent=indent) for one in events)
    else:
        text = json.dumps(events, indent=indent)
    text = text + " " + text if shape == "two arrays" else text

    assert users(read(text)) == ["a", "b", "c"] * (2 if shape == "two arrays" else 1)


PRETTY = json.dumps([json.loads(one) for one in (C, A, C, B)], indent=2)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"u": "a",', '"u": "a"'),  # no comma
        ('"u": "a",', '"u": "a,'),  # no closing quote
        ('"u": "a",', '"u": a,'),
        ('"t": 1\n  },\n  {\n    "u": "c"', '"t": 1\n  ,\n  {\n    "u": "c"'),  # no brace
        ('"u": "a",', '"u": "\\ud800",'),
        ('"u": "a",', '"u": "a", "x": [,'),
    ],
)
def test_a_broken_element_is_refused_and_the_next_is_read(old, new):
    records = read(PRETTY.replace(old, new, 1))

    assert [r["is_readable"] for r in records] == [True, False, True, True]
    assert [r["user_id"] for r in records] == ["c", None, "c", "b"]


@pytest.mark.parametrize("cut", range(1, len(PRETTY), 37))
def test_an_array_that_is_cut_off_keeps_its_whole_elements(cut):
    whole = [r["user_id"] for r in read(PRETTY)]

    records = read(PRETTY[:cut], is_whole=True)

    n_read = sum(r["is_readable"] for r in records)
    assert [r["user_id"] for r in records][:n_read] == whole[:n_read]
    assert len(records) - n_read <= 1


@pytest.mark.parametrize("size", [1, 50, 150, 400])
def test_windows_of_an_array_give_the_same_records(size):
    layout, window, base, found = Layout(is_whole=True), b"", 0, []
    for byte in PRETTY.encode():
        window += bytes([byte])
        if len(window) >= size and (end := end_of_records(window, source(), layout)):
            found += read_window(window[:end], base, source(), layout).to_pylist()
            window, base = window[end:], base + end
    found += read_window(window, base, source(), layout).to_pylist()

    assert found == read(PRETTY)


def test_a_window_ends_before_an_element_that_never_ends(monkeypatch):
    monkeypatch.setattr("interest_graph.events.readers.json_records._GIVEN_UP", 100)
    broken = PRETTY.replace('"t": 1\n  },', '"t": 1', 1).encode()
    end = end_of_records(broken, source(), Layout(is_whole=True))

    first = read_window(broken[:end], 0, source(), Layout(is_whole=True)).to_pylist()
    rest = read_window(broken[end:], end, source(), Layout(is_whole=True)).to_pylist()

    assert 0 < end < len(broken)
    assert_conserved(broken, first + rest)
    assert sum(r["is_readable"] for r in first + rest) >= 3


def test_text_without_any_object_is_cut_at_its_lines(monkeypatch):
    monkeypatch.setattr("interest_graph.events.readers.json_records._GIVEN_UP", 20)

    assert end_of_records(b"[INFO] one\n[INFO] two\n[IN", source(), Layout(is_whole=True)) == 22


NUMBERS = [
    # text of the number, as an id, as another value
    ("12345678.0", "12345678", "12345678.0"),
    ("1.2345678E7", "12345678", "1.2345678E7"),
    ("1e7", "10000000", "1e7"),
    ("-7.0", "-7", "-7.0"),
    ("-0.0", "0", "-0.0"),
    ("0", "0", "0"),
    ("1054364498.1612345678", "1054364498.1612345678", "1054364498.1612345678"),
    ("12345678901234567890123", "12345678901234567890123", "12345678901234567890123"),
    ("12345678901234567890123.0", "12345678901234567890123", "12345678901234567890123.0"),
    ("9007199254740993.0", "9007199254740993", "9007199254740993.0"),
    ("1.50", "1.50", "1.50"),
    ("0.00001", "0.00001", "0.00001"),
    ("12.5e-1", "12.5e-1", "12.5e-1"),
    ("25e-1", "25e-1", "25e-1"),
    ("1e400", "1e400", "1e400"),
    ("1e+20", "100000000000000000000", "1e+20"),
    ("1714557600.1234567", "1714557600.1234567", "1714557600.1234567"),
    ("0.1", "0.1", "0.1"),
    ("NaN", "NaN", "NaN"),
    ("-Infinity", "-Infinity", "-Infinity"),
]


@pytest.mark.parametrize(("number", "as_id", "as_value"), NUMBERS)
def test_numbers_keep_their_text_and_whole_ids_are_integers(number, as_id, as_value):
    columns = {"user_id": "u", "item_id": "o.i", "event_time": "t"}

    (record,) = read(f'{{"u":{number} ,"o":{{"i":{number}}},"t":{number}}}', columns)

    assert (record["user_id"], record["item_id"]) == (as_id, as_id)
    assert record["event_time"] == as_value


@given(
    st.from_regex(r"-?(0|[1-9][0-9]{0,24})(\.[0-9]{1,20})?([eE][+-]?[0-9]{1,3})?", fullmatch=True)
)
@settings(deadline=None, max_examples=100)
def test_any_number_keeps_its_text(number):
    (record,) = read(f'{{"u":"{number}","t":{number},"n":[{number}, 1]}}')

    assert (record["user_id"], record["event_time"]) == (number, number)
    assert record["payload"] == f'{{"n":[{number},1]}}'


@pytest.mark.parametrize("text", ["007", "7.0", "1e5", " u ", "", "null", "NaN", "a\0b", "-0.0"])
def test_strings_are_never_changed(text):
    (record,) = read(json.dumps({"u": text, "i": [text], "t": 1.50}))

    assert (record["user_id"], record["item_id"]) == (text, json.dumps([text]))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("true", "true"),
        ("false", "false"),
        ("null", None),
        ('""', ""),
        ('["a", 1.50 ,null]', '["a",1.50,null]'),
        ('{"a" : {"b":"é"}}', '{"a":{"b":"é"}}'),
    ],
)
def test_values_of_other_types(value, expected):
    (record,) = read(f'{{"u":"a","t":{value}}}')

    assert record["event_time"] == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"client":{"id":1054364498.1612345678}}', "1054364498.1612345678"),
        ('{"client":{"id":10000000}}', "10000000"),
        ('{"client":{"id":1e7}}', "10000000"),
        ('{"client.id":"flat","client":{"id":"deep"}}', "flat"),
        ('{"client.id":null,"client":{"id":"deep"}}', "deep"),
        ('{"client":"{\\"id\\": 5.0}"}', "5"),
        ('{"client":"{broken"}', None),
        ('{"client":"id"}', None),
        ('{"client":[{"id":1}]}', None),
        ('{"other":1}', None),
    ],
)
def test_fields_of_objects(text, expected):
    columns = {"user_id": "client.id", "item_id": "i", "event_time": "t"}

    (record,) = read(text, columns, is_whole=False)

    assert (record["is_readable"], record["user_id"]) == (True, expected)


@pytest.mark.parametrize(
    "name", ['a"b', "a'b", "a\\b", "a/b", "a~b", "", "$", "0", "*", "é b", "[0]"]
)
def test_names_of_any_characters(name):
    columns = {"user_id": name, "item_id": f"o.{name}", "event_time": "t"}
    text = json.dumps({name: "x", "o": {name: "y"}, "t": 1}, ensure_ascii=False)

    (record,) = read(text, columns, is_whole=False)

    assert (record["user_id"], record["item_id"]) == ("x", "y")


def test_names_differ_by_case():
    columns = {"user_id": "U", "item_id": "u", "event_time": "t"}

    assert read('{"u":1,"U":2}', columns, is_whole=False)[0]["user_id"] == "2"


def test_of_a_key_that_is_there_twice_the_last_value_counts():
    columns = {"user_id": "u", "item_id": "o.i", "event_time": "t"}

    (record,) = read('{"u":1,"o":{"i":1,"i":2},"u":2,"n":3,"n":4,"t":1,"t":null}', columns)

    assert (record["user_id"], record["item_id"], record["event_time"]) == ("2", "2", None)
    assert record["payload"] == '{"o":{"i":2},"n":4}'


@pytest.mark.parametrize("n", [2, 3, 4])
def test_a_key_that_is_there_several_times_is_found_among_others(n):
    lines = ['{"x":0}', "{" + ",".join(f'"u":{k}' for k in range(n)) + ',"x":0}', '{"u":9,"x":0}']

    assert [r["user_id"] for r in read("\n".join(lines))] == [None, str(n - 1), "9"]


def test_the_payload_is_what_is_not_mapped():
    records = read('{"u":1,"i":2,"t":3}\n{"u":1,"x":{"y":[1.0,null]},"z":null}\n{}')

    assert [r["payload"] for r in records] == [None, '{"x":{"y":[1.0,null]},"z":null}', None]


@pytest.mark.parametrize(
    "line",
    [
        b'{"u":"\\ud800"}',
        b'{"u":"\\udc00\\ud800","t":1.50}',
        b'{"u":"\xff"}',
        b'{"u":"\\\xff"}',
        b'{"u":"a\x01"}',
        b"{'u':1}",
        b'{"u":nan}',
        b'{"u":01}',
        b'{"u"}',
        b"{",
        b'{"u":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
        b"{" * 100_000,
    ],
)
def test_what_is_no_object_is_refused_whatever_it_is(line):
    text = A.encode() + b"\n" + line + b"\n" + B.encode()

    records = read(text, is_whole=False)

    assert [r["is_readable"] for r in records] == [True, False, True]


def test_a_large_object_is_read():
    (record,) = read(json.dumps({"u": "a", "i": "x" * 20_000_000, "t": [[1]] * 1000}))

    assert len(record["item_id"]) == 20_000_000
    assert record["event_time"].startswith("[[1],[1]")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"{A}\n{B}", False),
        (f"{A}{B}\n{C}\n", False),
        (f"broken\n{A}\n", False),
        ('{"u":\n' + f"{A}\n{B}\n", False),
        (PRETTY, True),
        (PRETTY[1:-1].strip(), True),
        (f"[{A},\n{B}]", True),
        (f"\ufeff\n [{A}\n]", True),
        (A + B, True),
        (PRETTY[:60], True),
        ("[]", True),
    ],
)
def test_inspect_finds_whether_objects_are_lines(text, expected):
    layout = inspect(text.encode(), source({"user_id": "u", "item_id": "i", "event_time": "t"}))

    assert layout == Layout(is_whole=expected)


@pytest.mark.parametrize("head", [b"", b"\n \r\n", b"\xef\xbb\xbf\n"])
def test_inspect_finds_nothing_in_blanks(head):
    assert inspect(head, source()) is None


def test_inspect_names_what_is_missing():
    with pytest.raises(DataError, match=r"^holds no JSON object in its first lines$"):
        inspect(b"u,i,t\n1,2,3\n", source())
    with pytest.raises(DataError, match=r"^has no column t; present: u, i, o, o\.t$"):
        inspect(b'{"u":1}\n{"i":null,"o":{"t":1}}\n', source())
    assert inspect(b'{"u":1,"i":1}\n{}', source(optional=["event_time"]))
    assert inspect(b'{"u":1,"i":1}', source({"user_id": "u", "item_id": "i.x", "event_time": "u"}))
