"""CSV text to records; positions and lengths account for every byte."""

from __future__ import annotations

import csv
import io
import json
import random

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from interest_graph.config import SourceConfig
from interest_graph.errors import DataError
from interest_graph.events.readers import csv_dialect, csv_records, csv_tokens
from interest_graph.events.readers.csv_records import inspect, read_window
from interest_graph.events.records import Layout, schema_of

BOM = "\ufeff"


def source_of(columns=None, **settings):
    columns = columns or {"user_id": "u", "item_id": "i"}
    time = {"constant": "2024-05-01"}
    return SourceConfig(name="s", path="in", columns=columns, action="view", time=time, **settings)


def read(text, columns=None, **settings):
    """The records of a file's whole text, as dicts; null values are left out."""
    raw = text if isinstance(text, bytes) else text.encode()
    source = source_of(columns, **settings)
    layout = inspect(raw, source)
    table = read_window(raw, 0, source, layout)
    table.validate(full=True)
    assert table.schema == schema_of(source.columns)
    positions = table["position"].to_pylist()
    assert positions == sorted(positions)
    return [{k: v for k, v in row.items() if v is not None} for row in table.to_pylist()]


def pairs(records):
    """(user, item) of each record; of a refused one, its raw text."""
    return [
        (row.get("user_id"), row.get("item_id")) if row["is_readable"] else row["payload"]
        for row in records
    ]


REGULAR = {
    "quotes": ('u,i\n"a ""b"", c",1\n', [('a "b", c', "1")]),
    "a quoted text without anything is empty, an unquoted one is missing": (
        'u,i\n"",1\n,2\n3,""\n4,\n',
        [("", "1"), (None, "2"), ("3", ""), ("4", None)],
    ),
    "nothing but quotes": ('u,i\n"""","""a"""\n', [('"', '"a"')]),
    "a stray quote is text": ('u,i\n3.5" disk,1\na"b"c,2\n', [('3.5" disk', "1"), ('a"b"c', "2")]),
    "a stray quote beside a quoted field": ('u,i\n"a",3"\nb"","c"\n', [("a", '3"'), ('b""', "c")]),
    "white space is kept": ("u,i\n a , b\t\n", [(" a ", " b\t")]),
    "blank lines": ("u,i\n\na,1\n  \t\n\nb,2\n\n", [("a", "1"), ("b", "2")]),
    "delimiters alone are a record": ("u,i\n,\na,1\n", [(None, None), ("a", "1")]),
    "no line end at the end": ("u,i\na,1\nb,", [("a", "1"), ("b", None)]),
    "old Mac": ("u,i\ra,1\rb,2\r", [("a", "1"), ("b", "2")]),
    "mixed line ends": ("u,i\r\na,1\rb,2\n\r\nc,3\r\n", [("a", "1"), ("b", "2"), ("c", "3")]),
    "NUL": ("u,i\na\0b,1\n", [("a\0b", "1")]),
    "U+2028 and U+0085 end no line": ("u,i\na\u2028b,\u0085\n", [("a\u2028b", "\u0085")]),
    "other scripts": ("u,i\n文,é\n", [("文", "é")]),
    "header alone": ("u,i\n", []),
    "mark and quotes": (BOM + '"u","i"\r\n"é","1"\r\n', [("é", "1")]),
}


@pytest.mark.parametrize(("text", "expected"), REGULAR.values(), ids=REGULAR)
def test_regular_records(text, expected):
    assert pairs(read(text)) == expected


REFUSED = {
    "fewer fields": ("u,i\na\nb,1\n", ["a", ("b", "1")]),
    "more fields": ("u,i\na,1,2\nb,1\n", ["a,1,2", ("b", "1")]),
    "text after a closing quote": ('u,i\n"a"b,1\nc,2\n', ['"a"b,1', ("c", "2")]),
    "blank after a closing quote": ('u,i\n"a" ,1\nc,2\n', ['"a" ,1', ("c", "2")]),
    "a quote that is not closed": ('u,i\n"a,1\nc,2\n', ['"a,1', ("c", "2")]),
    "the last one": ('u,i\nc,2\nd,"', [("c", "2"), 'd,"']),
    "a delimiter too many": ("u,i\na,1,\nb,1\n", ["a,1,", ("b", "1")]),
    "the header again": ("u,i\na,1\nu,i\nb,2\n", [("a", "1"), "u,i", ("b", "2")]),
    "the header with its mark": (
        f"{BOM}u,i\r\na,1\r\n{BOM}u,i\r\nb,2",
        [("a", "1"), "u,i", ("b", "2")],
    ),
    "the header in quotes": ('u,i\na,1\n"u","i"\nb,2\n', [("a", "1"), '"u","i"', ("b", "2")]),
    "the header at once": ("u,i\nu,i\nu,i\n", ["u,i", "u,i"]),
    "one name of it is data": ("u,i\nu,1\n", [("u", "1")]),
    "a header of which a name is missing": (
        ",u,i\n0,a,1\n,u,i\n",
        [("a", "1"), ",u,i"],
    ),
    "bytes of another encoding": (b"u,i\nx\xe9\na\xff,1\n", ["x\\xe9", ("a\\xff", "1")]),
}


@pytest.mark.parametrize(("text", "expected"), REFUSED.values(), ids=REFUSED)
def test_refused_records_keep_their_text(text, expected):
    assert pairs(read(text)) == expected


def test_a_mark_before_data_is_no_part_of_it():
    rows = read(f"{BOM}a,1\n{BOM}b,2\n", {"user_id": "_c0", "item_id": "_c1"}, header=False)

    assert pairs(rows) == [("a", "1"), ("b", "2")]
    assert [row["position"] for row in rows] == [3, 10]


BACKSLASH = {
    "quotes": (r'"The \"Big\" Book","1"', ('The "Big" Book', "1")),
    "delimiters between them": (r'"Sail, a \"b\", tale","1"', ('Sail, a "b", tale', "1")),
    "at the end": (r'"Ends with \"","1"', ('Ends with "', "1")),
    "at the start": (r'"\"a\" b","1"', ('"a" b', "1")),
    "a backslash": (r'"C:\\x \"y\"","1"', (r'C:\x "y"', "1")),
    "in the last field": (r'1,"x \""', ("1", 'x "')),
    "well formed by doubled quotes, of another width": (
        r'"He \", she \", they",1',
        ('He ", she ", they', "1"),
    ),
    "a folder at the end of a field": (r'"C:\dir\","1"', ("C:\\dir\\", "1")),
    "folders in both fields": (r'"C:\dir\","D:\"', ("C:\\dir\\", "D:\\")),
    "a folder, doubled quotes": (r'"C:\""x""\","1"', (r'C:\"x"' + "\\", "1")),
    "other scripts": (r'"Café \"x\", y","1"', ('Café "x", y', "1")),
}


@pytest.mark.parametrize("header", ["u,i", '"u","i"'])
@pytest.mark.parametrize(("line", "expected"), BACKSLASH.values(), ids=BACKSLASH)
def test_quotes_after_a_backslash(header, line, expected):
    assert pairs(read(f"{header}\na,b\n{line}\nc,d\n")) == [("a", "b"), expected, ("c", "d")]


@pytest.mark.parametrize(
    ("escape", "line", "expected"),
    [
        ("doubled", r'"a \"b\"",1', r'"a \"b\"",1'),
        ("doubled", r'"a\",1', ("a\\", "1")),
        ("backslash", r'"a\",1', r'"a\",1'),
        ("backslash", r'"a \"b\"",1', ('a "b"', "1")),
        ("backslash", r"a\,1", ("a\\", "1")),
        ("backslash", r'"a ""b""",1', ('a "b"', "1")),
    ],
)
def test_the_escape_may_be_set(escape, line, expected):
    assert pairs(read(f"u,i\n{line}\n", quote_escape=escape)) == [expected]


SETTINGS = [
    ("u\ti\na\t\n\t\n", {"delimiter": "\t"}, [("a", None), (None, None)]),
    ("u i\na b\n", {"delimiter": " "}, [("a", "b")]),
    ("u::i\na::b\nc:::d\ne:f::g\nh::i::j\n", {"delimiter": "::"},
     [("a", "b"), ("c", ":d"), ("e:f", "g"), "h::i::j"]),
    ('u::i\n"a::b"::"c"\n', {"delimiter": "::"}, [("a::b", "c")]),
    ("u§i\na§é\n", {"delimiter": "§"}, [("a", "é")]),
    ('u,i\n"a,"b"\n', {"quote": ""}, [('"a', '"b"')]),
    ("u,i\n'a, b','it''s'\n\"c\",1\n", {"quote": "'"}, [("a, b", "it's"), ('"c"', "1")]),
    ("u,i\n´a,b´,1\nc´,2\n", {"quote": "´"}, [("a,b", "1"), ("c´", "2")]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "settings", "expected"), SETTINGS)
def test_delimiters_and_quotes(text, settings, expected):
    assert pairs(read(text, **settings)) == expected


MULTILINE = {
    "line ends are text": ('u,i\n"a\nb",1\n"\r\n\r\n","\r"\n', [("a\nb", "1"), ("\r\n\r\n", "\r")]),
    "in the header": ('"u","i","x\ny"\na,1,2\n', [("a", "1")]),
    "quotes and line ends": ('u,i\n"a ""b\n""",1\nc,2\n', [('a "b\n"', "1"), ("c", "2")]),
    "after a backslash": ('u,i\n"a \\"b\n\\" c",1\nd,2\n', [('a "b\n" c', "1"), ("d", "2")]),
    "a quote never closed": ('u,i\na,"b\nc,2\nd,3', ['a,"b', ("c", "2"), ("d", "3")]),
    "closed by another's start": ('u,i\na,"b\n"c","2"\n', ['a,"b', ("c", "2")]),
    "by another's start, later": ('u,i\na,"b\nc,2\n"d","e"\n', ['a,"b', ("c", "2"), ("d", "e")]),
    "another width": ('u,i\n"a\nb",1,2\nc,2\n', ['"a\nb",1,2', ("c", "2")]),
    "stray quotes": ('u,i\na"b,1\nc"d,2\n"e\nf",3\n', [('a"b', "1"), ('c"d', "2"), ("e\nf", "3")]),
    "other bytes": (b'u,i\n"a\n\xff",1\n', [("a\n\\xff", "1")]),
}  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), MULTILINE.values(), ids=MULTILINE)
def test_quoted_line_ends(text, expected):
    assert pairs(read(text, multiline=True)) == expected


def test_an_open_quote_is_given_up_after_a_while(monkeypatch):
    for module in (csv_dialect, csv_tokens):
        monkeypatch.setattr(module, "MAX_OPEN_BYTES", 20)
    text = 'u,i\na,"b\n' + "c,2\n" * 10 + 'd,"\n'

    assert pairs(read(text, multiline=True)) == ['a,"b', *[("c", "2")] * 10, 'd,"']


def test_fields_of_many_megabytes():
    big = "x" * 10_000_000

    rows = read(f'u,i\n"{big}",1\n"{big}\\"",2\n"{big}\nc,3\n')

    assert [(len(row.get("user_id", "")), row.get("item_id")) for row in rows] == [
        (10_000_000, "1"), (10_000_001, "2"), (0, None), (1, "3"),
    ]  # fmt: skip


def test_rest_of_the_columns_as_json():
    rows = read('x,u,X,i,x,"q""\\"\n1,a,2,b,,"\\ ""\t"\n,a,,b,,\n1,a,2,b,3,\x01é\n')

    assert [json.loads(row["payload"]) if "payload" in row else None for row in rows] == [
        {"x": "1", "X": "2", 'q"\\': '\\ "\t'},
        None,
        {"x": "1", "X": "2", "x_2": "3", 'q"\\': "\x01é"},
    ]


def test_a_single_column():
    source = SourceConfig(name="s", path="in", kind="users", columns={"user_id": "u"})

    records = read_window(b'u\na\n\n"b,""c"""\nx,y\n', 0, source, Layout(("u",))).to_pylist()

    assert [row["user_id"] for row in records] == ["a", 'b,"c"', None]


def test_numbered_names_are_not_those_of_other_columns():
    rows = read("x,x_2,x,u,i\n1,2,3,a,b\n")

    assert json.loads(rows[0]["payload"]) == {"x": "1", "x_2": "2", "x_3": "3"}


def test_positions_and_lengths():
    rows = read(f'{BOM}\r\n \r\nu,i\r\n"é",1\r\n\r\nbad\r\n c,2')

    assert [(row["position"], row["length"]) for row in rows] == [(13, 6), (23, 3), (28, 4)]


@pytest.mark.parametrize(
    "head", ["\n", "\r\n\r\n", "\r\r", BOM + "\n", BOM + " \r\n \t\n", "\n" * 300]
)
def test_the_header_is_sought_where_it_is_read(head):
    assert pairs(read(head + "u,i\na,1\nb,2\n")) == [("a", "1"), ("b", "2")]


def test_a_first_line_of_delimiters_is_a_header():
    with pytest.raises(DataError, match=r"^has no column u, i; present: _c0, _c1$"):
        inspect(b",\nu,i\n", source_of())


@pytest.mark.parametrize("text", [b"", b"\n", b"\r\n \t\r\n", BOM.encode(), b"\xef\xbb\xbf\n\n"])
def test_blanks_alone_have_no_layout(text):
    assert inspect(text, source_of()) is None


@pytest.mark.parametrize(
    ("text", "settings", "problem"),
    [
        ("u,x\n", {}, r"^has no column i; present: u, x$"),
        ("u;i\n", {}, r"^has no column u, i; present: u;i; is the delimiter right\?$"),
        ("U,I\n", {}, r"^has no column u, i; present: U, I$"),
        ("u,i,u\n", {}, r"^names the mapped column u more than once in its header$"),
        ('u,"i\na,b\n', {}, r"^has a header whose quotes do not pair$"),
        ("a,b\n", {"header": False}, r"^has no column u, i; present: _c0, _c1$"),
    ],
)
def test_headers_that_do_not_fit(text, settings, problem):
    with pytest.raises(DataError, match=problem):
        inspect(text.encode(), source_of(**settings))


def test_optional_columns_may_be_absent():
    columns = {"user_id": "u", "item_id": "i", "value": "v"}

    assert pairs(read("u,i\na,1\n", columns, optional=["value"])) == [("a", "1")]


@pytest.mark.parametrize("first", ["x", "x,y,z", '"x"y,z', ""])
def test_without_a_header_the_usual_width_counts(first):
    columns = {"user_id": "_c0", "item_id": "_c1"}

    rows = read(f"{first}\na,1\nb,2\n", columns, header=False)

    assert pairs(rows) == [*([first] if first else []), ("a", "1"), ("b", "2")]


def test_layouts():
    assert inspect(b"u,i\n", source_of()) == Layout(columns=("u", "i"))
    assert inspect(b"u,i\n", source_of(multiline=True)).is_whole


PIECES = [
    '"',
    ",",
    "\n",
    "\r\n",
    "\r",
    "\\",
    '""',
    "a",
    "é",
    " ",
    "\0",
    BOM,
    "u,i\n",
    '","',
    "a,1\n",
]


def mangled(seed):
    """A file that starts well: lines with bytes put in, taken out or doubled."""
    rng = random.Random(seed)
    lines = ["u,i\n", "a,1\n", '"b, ""c""",2\n', '"d \\"e\\"",3\r\n', '"f\ng",4\n', ",\n", "\n"]
    raw = bytearray(b"u,i\n")
    for _ in range(rng.randrange(1, 12)):
        raw += rng.choice(lines).encode()
    for _ in range(rng.randrange(8)):
        at = rng.randrange(4, len(raw) + 1)
        kind = rng.random()
        if kind < 0.6:
            raw[at:at] = rng.choice(PIECES).encode()
        elif kind < 0.8:
            del raw[at : at + rng.randrange(4)]
        else:
            raw[at:at] = bytes([rng.randrange(256)])
    return bytes(raw)


@pytest.mark.parametrize("multiline", [False, True])
@pytest.mark.parametrize("escape", ["auto", "backslash"])
def test_regular_lines_are_read_as_one_by_one(monkeypatch, multiline, escape):
    source = source_of(multiline=multiline, quote_escape=escape)
    monkeypatch.setattr(csv_records, "MANY", 0)
    files = [mangled(seed) for seed in range(1000, 1150)]
    together = [read_window(raw, 0, source, Layout(("u", "i"))).to_pylist() for raw in files]
    tokenise = csv_tokens.tokenise

    def none_regular(*args, **settings):
        lines = tokenise(*args, **settings)
        lines.is_regular[:] = False
        lines.is_other[:] = False
        return lines

    monkeypatch.setattr(csv_tokens, "tokenise", none_regular)
    for raw, rows in zip(files, together, strict=True):
        assert read_window(raw, 0, source, Layout(("u", "i"))).to_pylist() == rows, raw


cells = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\ufeff"), max_size=6)
awkward = st.text(st.sampled_from('",;\\\n\r a'), max_size=6)


@settings(deadline=None)
@given(
    rows=st.lists(st.tuples(cells | awkward, cells | awkward, awkward), max_size=8),
    delimiter=st.sampled_from([",", ";", "\t"]),
    # Python 3.11 leaves a lone \r unquoted unless it is part of the line end.
    form=st.sampled_from(
        [(csv.QUOTE_ALL, "\n"), (csv.QUOTE_ALL, "\r\n"), (csv.QUOTE_MINIMAL, "\r\n")]
    ),
)
@example(rows=[("a\nb", '"', "")], delimiter=",", form=(csv.QUOTE_ALL, "\n"))
def test_what_pythons_csv_module_writes(rows, delimiter, form):
    file = io.StringIO()
    writer = csv.writer(file, delimiter=delimiter, quoting=form[0], lineterminator=form[1])
    writer.writerows([("u", "i", "r"), *rows])

    found = read(
        file.getvalue(),
        {"user_id": "u", "item_id": "i"},
        delimiter=delimiter,
        multiline=True,
        quote_escape="doubled",
    )

    rest = [json.loads(row["payload"])["r"] if "payload" in row else "" for row in found]
    written = [row for row in rows if row != ("u", "i", "r")]
    assert [
        (row.get("user_id") or "", row.get("item_id") or "", last)
        for row, last in zip(found, rest, strict=True)
    ] == written
