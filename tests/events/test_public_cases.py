"""Inputs that people met with other tools, by class of fault: the right rows, or one clear line.

No JVM: files are inspected, read, typed, refused and cleaned, or shaped, as tasks do it. The other
sides of these classes are tested elsewhere: sums that wrap round in graph/test_fixed_point.py, odd
names of files in test_listing.py and test_path_patterns.py, small graphs and empty frames in
jobs/test_small_inputs.py, errors of the JVM and mended settings in jobs.
"""

from __future__ import annotations

import bz2
import gzip
import io
import json
from datetime import UTC, datetime

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from pydantic import ValidationError

from interest_graph.config import CleanConfig, SourceConfig
from interest_graph.errors import DataError
from interest_graph.events.attribute_rows import shape_rows
from interest_graph.events.facts import clean_part
from interest_graph.events.readers import Split, inspect_file, read_split
from interest_graph.events.records import schema_of
from interest_graph.events.rules import refuse
from interest_graph.events.typed_records import type_records

AS_OF = datetime(2024, 6, 1, tzinfo=UTC)
UIT = {"user_id": "u", "item_id": "i", "event_time": "t"}
UIV = {"user_id": "u", "item_id": "i", "value": "v"}
CONSTANT = {"constant": "2024-05-01T00:00:00Z"}
T = "2024-05-01T10:00:00Z"


def source_of(**settings):
    defaults = {"columns": UIT, "path": "/in"}
    if settings.get("kind", "events") == "events" and "action" not in settings.get("columns", {}):
        defaults["action"] = "view"
    return SourceConfig(name="s", **(defaults | settings))


def records_of(content, source, suffix="", folders=None):
    """The records of a file, None of a blank one."""
    content = content if isinstance(content, bytes) else content.encode()
    path = f"/in/file.{source.format}{suffix}"

    def opened(_):
        return io.BytesIO(content)

    layout = inspect_file(path, source, opened, folders)
    if layout is None:
        return None
    tables = list(read_split(Split("s", path), source, layout, opened))
    return pa.concat_tables([schema_of(source.columns).empty_table(), *tables])


def events_of(content, suffix="", folders=None, **settings):
    """Facts as "user item", with action, time and value where they are asked for; and reasons."""
    source = source_of(**settings)
    records = records_of(content, source, suffix, folders)
    verdict = refuse(type_records(records, source), CleanConfig(), source, AS_OF)
    facts = clean_part(verdict.accepted, CleanConfig(retry_seconds=0), None).facts.to_pylist()
    reasons = [", ".join(reasons) for reasons in verdict.refused["reasons"].to_pylist()]
    return facts, reasons


def pairs(facts):
    return sorted(f"{fact['user_id']} {fact['item_id']}" for fact in facts)


def parquet(frame):
    file = io.BytesIO()
    table = frame if isinstance(frame, pa.Table) else pa.Table.from_pandas(frame)
    pq.write_table(table, file)
    return file.getvalue()


def line(user, item, **rest):
    return json.dumps({"u": user, "i": item, "t": T} | rest)


A, B, C, D, E = (line(f"u{n}", item) for n, item in enumerate("abcde", 1))
FIVE = ["u1 a", "u2 b", "u3 c", "u4 d", "u5 e"]


# 1. One line taken for one object.
@pytest.mark.parametrize(
    ("text", "found", "refused"),
    [
        (f"{A}\n{B}{C}\n{D}{E} trailing rubbish\n", FIVE, ["unreadable"]),
        (f"{A} {B}\t{C}\n{D}\r\n{E}", FIVE, []),
        (f"[{A},\n{B},{C}\n]\n[{D},{E}]", FIVE, []),
        (f"{A},\n{B},\n{C},\n{D},\n{E}", FIVE, []),
        (f"{A}\n\n{B[:-9]}\n{C}{D}{E}", ["u1 a", "u3 c", "u4 d", "u5 e"], ["unreadable"]),
        (json.dumps([json.loads(x) for x in (A, B, C, D, E)], indent=2), FIVE, []),
    ],
)
def test_every_object_is_an_event_wherever_it_stands(text, found, refused):
    facts, reasons = events_of(text, format="json")

    assert (pairs(facts), reasons) == (found, refused)


# 2. Records that are made of one record share its id.
ORDERS = {"event_id": "o", **UIT}


@pytest.mark.parametrize(
    ("rows", "settings", "found"),
    [
        (
            [("o1", "c1", "milk|bread|eggs"), ("o2", "c2", "milk|wine"), ("o2", "c2", "milk|wine")],
            {"explode": "|"},
            ["c1 bread", "c1 eggs", "c1 milk", "c2 milk", "c2 wine"],
        ),
        ([("o1", "c1", "milk|milk")], {"explode": "|"}, ["c1 milk"]),
        ([("o1", "c1", "a;b"), ("o1", "c1", "b;c")], {"explode": ";"}, ["c1 a", "c1 b", "c1 c"]),
        ([("o1", "c1", "a|b"), ("o1", "c2", "a")], {}, ["c1 a|b", "c2 a"]),
    ],
)
def test_items_of_an_order_share_its_id(rows, settings, found):
    text = "".join(f"{','.join(row)},{T}\n" for row in [("o", "u", "i"), *rows])
    text = text.replace(T, "t", 1)

    facts, reasons = events_of(text, columns=ORDERS, **settings)

    assert (pairs(facts), reasons) == (found, [])


# 3. Lists treated as text.
LISTS = [("u1", ["a", "b"]), ("u2", ["b", "c"]), ("u3", ["a"])]
OF_LISTS = ["u1 a", "u1 b", "u2 b", "u2 c", "u3 a"]


@pytest.mark.parametrize(
    ("content", "form", "found"),
    [
        ("\n".join(line(u, items) for u, items in LISTS), "json", OF_LISTS),
        ("\n".join(line(u, json.dumps(items)) for u, items in LISTS), "json", OF_LISTS),
        ("\n".join(line(u, ",".join(items)) for u, items in LISTS), "json", OF_LISTS),
        (
            parquet(pd.DataFrame([(u, i, T) for u, i in LISTS], columns=["u", "i", "t"])),
            "parquet",
            OF_LISTS,
        ),
        (line("u", ["x,y", "[z]", 7.0, None]), "json", ["u 7", "u [z]", "u x,y"]),
    ],
)
def test_items_of_lists_are_events_of_their_own(content, form, found):
    facts, reasons = events_of(content, format=form, explode=",")

    assert (pairs(facts), reasons) == (found, [])


def test_a_list_of_items_that_is_not_to_be_split_is_refused():
    facts, reasons = events_of(f"{line('u', ['a', 'b'])}\n{A}", format="json")

    assert (pairs(facts), reasons) == (["u1 a"], ["list_item_id"])


ITEMS = {"item_id": "sku", "title": "name", "categories": "genres"}


@pytest.mark.parametrize(
    ("content", "form", "found"),
    [
        ('{"sku":"a","name":"A","genres":["Action","Indie"]}', "json", ["Action", "Indie"]),
        ('{"sku":"a","name":"A","genres":"Action|RPG"}', "json", ["Action", "RPG"]),
        ('{"sku":"a","name":"A","genres":[" RPG ","RPG","",null]}', "json", ["RPG"]),
        (
            '{"sku":"a","name":"A","genres":[1.50,2e3,12345678901234567890123]}',
            "json",
            ["1.50", "2e3", "12345678901234567890123"],
        ),
        ('{"sku":"a","name":"A","genres":"[1.50, 10.0]"}', "json", ["1.50", "10.0"]),
        ('{"sku":"a","name":"A","genres":[]}', "json", None),
        ('sku,name,genres\na,A,"[""Action"", ""Indie""]"\n', "csv", ["Action", "Indie"]),
        ("sku,name,genres\na,A,[draft]\n", "csv", ["[draft]"]),
        (
            parquet(pa.table({"sku": ["a"], "name": ["A"], "genres": [["Action", "RPG"]]})),
            "parquet",
            ["Action", "RPG"],
        ),
    ],
)
def test_categories_of_lists_are_one_each(content, form, found):
    source = source_of(kind="items", format=form, columns=ITEMS)

    (row,) = shape_rows(records_of(content, source), source).rows.to_pylist()

    assert (row["title"], row["categories"]) == ("A", found)


# 4. Numbers become ids by way of a double.
FLOATS = pd.DataFrame({"u": [501.0, 502.0, None], "i": [12345678.0, 7.0, 87654321.0], "t": [T] * 3})


@pytest.mark.parametrize(
    ("content", "form", "columns", "found", "refused"),
    [
        (parquet(FLOATS), "parquet", UIT, ["501 12345678", "502 7"], ["missing_user_id"]),
        (
            "\n".join(FLOATS.head(2).to_json(orient="records", lines=True).split()),
            "json",
            UIT,
            ["501 12345678", "502 7"],
            [],
        ),
        (
            f"{line(501.0, 12345678.0)}\n{line(503, 12345678)}",
            "json",
            UIT,
            ["501 12345678", "503 12345678"],
            [],
        ),
        (
            "\n".join(
                f'{{"c":{{"id":{number}}},"i":"x","t":"{T}"}}'
                for number in (
                    "1054364498.1612345678",
                    "1054364498.1612345679",
                    "10000000",
                    "1e7",
                    "12345678901234567890123",
                )
            ),
            "json",
            UIT | {"user_id": "c.id"},
            [
                "10000000 x",
                "1054364498.1612345678 x",
                "1054364498.1612345679 x",
                "12345678901234567890123 x",
            ],
            [],
        ),
        (
            "\n".join(line(user, "x") for user in ("007", "7", "7.0", "1e5", "100000")),
            "json",
            UIT,
            ["007 x", "100000 x", "1e5 x", "7 x", "7.0 x"],
            [],
        ),
        (f"u,i,t\n007,7.0,{T}\n1e5,0,{T}\n", "csv", UIT, ["007 7.0", "1e5 0"], []),
        (
            parquet(
                pa.table(
                    {
                        "u": pa.array([2**63 - 1, 2**53 + 1]),
                        "i": pa.array([1, 2], pa.uint8()),
                        "t": [T, T],
                    }
                )
            ),
            "parquet",
            UIT,
            ["9007199254740993 2", "9223372036854775807 1"],
            [],
        ),
    ],
)
def test_ids_keep_their_digits(content, form, columns, found, refused):
    facts, reasons = events_of(content, format=form, columns=columns)

    assert (pairs(facts), reasons) == (found, refused)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('"\\u00a0u"', "\u00a0u"),
        ('" u "', "u"),
        ('"u\\t"', "u\t"),
        ('"caf\\u00e9"', "café"),
        ('"cafe\\u0301"', "cafe\u0301"),
        ('"null"', "null"),
        ('"a\\u0000b"', "a\0b"),
        ('"\\\\N"', "\\N"),
        ("7", "7"),
        ("true", "true"),
        ('"d1","u":"d2"', "d2"),
        ('{"a":1}', '{"a":1}'),
        (f'"{"x" * 512}"', "x" * 512),
        (f'"{"x" * 513}"', ["long_user_id"]),
        ('"half \\ud83d"', ["unreadable"]),
        ('"trunc', ["unreadable"]),
        ("null", ["missing_user_id"]),
    ],
)
def test_odd_ids_stay_as_they_are(text, found):
    facts, reasons = events_of(f'{A}\n{{"u":{text},"i":"x","t":"{T}"}}', format="json")

    ids = [fact["user_id"] for fact in facts if fact["item_id"] == "x"]
    assert [*ids, *reasons] == (found if isinstance(found, list) else [found])


# 5. Whether a time has an offset is guessed apart from the parser that reads it.
ZONE = {"format": "iso", "zone": "America/New_York"}
OPTIONAL = {"format": "yyyy-MM-dd HH:mm:ss[XXX]", "zone": "Asia/Tokyo"}


@pytest.mark.parametrize(
    ("time", "text", "utc"),
    [
        (ZONE, "2024-01-15 12:00:00", "2024-01-15 17:00:00"),
        (ZONE, "2024-01-15T12:00:00-05:00", "2024-01-15 17:00:00"),
        (ZONE, "2024-01-15", "2024-01-15 05:00:00"),
        (ZONE, "2024-01-15 12:00:00 GMT", "2024-01-15 12:00:00"),
        (ZONE, "2024-01-15 12:00:00 Europe/Berlin", "2024-01-15 11:00:00"),
        (ZONE, "2024-01-15T12:00:00+5:30", "2024-01-15 06:30:00"),
        (ZONE, "2024-01-15 12:00:00 UTC+01:00", "2024-01-15 11:00:00"),
        (ZONE, "2024-01-15T12:00:00Z", "2024-01-15 12:00:00"),
        (ZONE, "2024-01-15T12:00:00+01:00[Europe/Berlin]", "2024-01-15 11:00:00"),
        (ZONE, "2024-01-15 12:00:00,250", "2024-01-15 17:00:00.250000"),
        (ZONE, "2024-01-15T12:00:00.123456789", "2024-01-15 17:00:00.123456"),
        (ZONE, "2024-01-15T12:00", "2024-01-15 17:00:00"),
        (ZONE, "2024-01-15T12:00:00-0500", "2024-01-15 17:00:00"),
        (ZONE, "2023-07-15", "2023-07-15 04:00:00"),
        (ZONE, "2024-01-15 12:00:00.5 Asia/Tokyo", "2024-01-15 03:00:00.500000"),
        (OPTIONAL, "2024-05-01 12:00:00+09:00", "2024-05-01 03:00:00"),
        (OPTIONAL, "2024-05-01 12:00:00", "2024-05-01 03:00:00"),
        (OPTIONAL, "2024-05-01 12:00:00Z", "2024-05-01 12:00:00"),
        (OPTIONAL, "2024-05-01 12:00:00-10:00", "2024-05-01 22:00:00"),
    ],
)
def test_times_are_those_of_their_zone(time, text, utc):
    (fact,), _ = events_of(f'u,i,t\na,x,"{text}"\n', time=time)

    assert str(fact["event_ts"]).removesuffix("+00:00") == utc


@pytest.mark.parametrize(
    ("constant", "utc"),
    [
        ("2024-05-01T00:00:00+09:00", "2024-04-30 15:00:00"),
        ("2024-05-01T00:00:00", "2024-05-01 00:00:00"),
        ("2024-05-01T00:00:00-05:30", "2024-05-01 05:30:00"),
    ],
)
def test_a_constant_time_keeps_its_offset(constant, utc):
    columns = {"user_id": "u", "item_id": "i"}
    (fact,), _ = events_of("u,i\na,x\n", columns=columns, time={"constant": constant})

    assert str(fact["event_ts"]).removesuffix("+00:00") == utc


@pytest.mark.parametrize(
    "form", ["YYYY-MM-DD HH:mm:ss", "YYYY-MM-dd", "yyyy-MM-DD", "yyyy-MM-dd qq", "hh:mm"]
)
def test_patterns_that_give_no_date_are_one_line_that_names_the_setting(form):
    with pytest.raises(ValidationError) as caught:
        source_of(time={"format": form})

    assert [error["loc"] for error in caught.value.errors()] == [("time", "format")]


# 6. "No columns found" equals "empty file"; the header is sought elsewhere than it is read.
ROWS = f"u1,a,{T}\nu2,b,{T}\n"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (f"\nu,i,t\n{ROWS}", ["u1 a", "u2 b"]),
        (f"\n\n  \nu,i,t\n{ROWS}", ["u1 a", "u2 b"]),
        (f"\ufeff\r\nu,i,t\r\n{ROWS}", ["u1 a", "u2 b"]),
        (f'\n"u","i","t"\n{ROWS}', ["u1 a", "u2 b"]),
        (f"\ru,i,t\r{ROWS}", ["u1 a", "u2 b"]),
        ("\n" * 300_000 + f"u,i,t\n{ROWS}", ["u1 a", "u2 b"]),
        ("\ufeff" + " \r\n" * 120_000 + f"u,i,t\n{ROWS}", ["u1 a", "u2 b"]),
        ("\nu,i,t\n", []),
    ],
)
def test_the_header_is_the_first_line_that_is_not_blank(text, found):
    facts, reasons = events_of(text)

    assert (pairs(facts), reasons) == (found, [])


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n"])
def test_a_header_may_be_longer_than_what_is_looked_at(end):
    names = ",".join(["u", "i", *(f"{n:09999}" for n in range(30)), "t"])

    facts, reasons = events_of(f"{names}{end}u1,a{',' * 30},{T}{end}")

    assert (pairs(facts), reasons) == (["u1 a"], [])


def test_a_header_without_end_is_one_line():
    with pytest.raises(DataError, match=r"^source s: /in/file.csv has no line end in its first"):
        events_of("x" * (4 << 20) + "xx")


@pytest.mark.parametrize("form", ["csv", "json", "log"])
@pytest.mark.parametrize("text", ["", "\n\n", "\ufeff", " " * 300_000, "\r\n" * 200_000])
def test_a_file_of_blanks_is_empty(text, form):
    assert records_of(text, source_of(format=form, pattern=r"(?<u>\w) (?<i>\w) (?<t>\w)")) is None


@pytest.mark.parametrize(
    "start", [" " * 300_000, "\n" * 300_000, "\ufeff" + "\r\n" * 150_000 + "["]
)
def test_blanks_before_json_do_not_hide_it(start):
    facts, reasons = events_of(start + A, format="json")

    assert (pairs(facts), reasons) == (["u1 a"], [])


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("sku,name\n1,2\n", "has no column u, i, t; present: sku, name"),
        ("u;i;t\n1;2;3\n", "has no column u, i, t; present: u;i;t; is the delimiter right?"),
        ("\n\nu,i,u,t\n1,2,3,4\n", "names the mapped column u more than once in its header"),
        ('"u,i,t\n1,2,3\n', "has a header whose quotes do not pair"),
        ("u,\u2028i\x1b\n1,2\n", "has no column i, t; present: u, \\u2028i\\x1b"),
    ],
)
def test_a_header_that_does_not_fit_is_one_line_with_the_file(text, problem):
    with pytest.raises(DataError) as caught:
        events_of(text)

    assert str(caught.value) == f"source s: /in/file.csv {problem}"


def test_a_header_within_the_file_is_refused():
    text = "\ufeffu,i,v\nu1,a,5\nu2,b,4\n\ufeffu,i,v\nu3,c,3\n"

    facts, reasons = events_of(text, columns=UIV, time=CONSTANT)

    assert (pairs(facts), reasons) == (["u1 a", "u2 b", "u3 c"], ["unreadable"])


# 7. A pattern is searched by one engine and replaced by another.
PLAIN = r"user=(?<u>\w+) sku=(?<i>\w+) at=(?<t>\S+)"


@pytest.mark.parametrize(
    ("pattern", "lines", "found"),
    [
        (PLAIN, ["May  1 web1 shop[311]: {}", "May  1 web2 shop[97]: {}", "{}"], 3),
        (PLAIN, ["{} tail user=none", "<13>\u2028{} x", "é{}"], 3),
        (f"^{PLAIN}$", ["{}", "{}", "x {}"], 2),
        (rf"{PLAIN}(?: ms=(?<ms>\d+))?", ["{} ms=7", "{}", "{} ms=x"], 3),
        (rf"(?:^|\] ){PLAIN}", ["[a] {}", "{}", "[b]{}"], 2),
    ],
)
def test_only_the_groups_of_a_pattern_become_values(pattern, lines, found):
    texts = (f"user=u{n} sku=a at={T}" for n in range(len(lines)))
    content = "".join(line.format(text) + "\n" for line, text in zip(lines, texts, strict=True))

    facts, reasons = events_of(content, format="log", pattern=pattern)

    assert pairs(facts) == [f"u{n} a" for n in range(found)]
    assert reasons == ["unreadable"] * (len(lines) - found)


# 8. Refused rows of users, items and friends are not counted; weights that are no numbers.
PEOPLE = {"user_id": "id", "city": "city", "age": "age"}
FRIENDS = {"user_id": "a", "friend_id": "b", "weight": "w"}


@pytest.mark.parametrize(
    ("kind", "columns", "form", "text", "keys", "refused"),
    [
        (
            "users",
            PEOPLE,
            "csv",
            "id,city,age\nu1,Bern,30\nu2,Washington, D.C.,41\nu3,Rome\n,Oslo,9\n",
            ["u1"],
            ["unreadable", "unreadable", "missing_user_id"],
        ),
        (
            "social_edges",
            FRIENDS,
            "csv",
            "a,b,w\nu1,u2,0.5\nu2,u3,strong\nu1,u3,-1\nu3,u1\n",
            ["u1"],
            ["bad_weight", "weight_not_positive", "unreadable"],
        ),
        (
            "social_edges",
            FRIENDS,
            "csv",
            "a,b,w\nu1,u2,NaN\nu2,u3,5d\nu1,u3,1e400\nu3,,1\nu4,u4,1\nu5,u6,\n",
            ["u5"],
            ["bad_weight"] * 3 + ["missing_friend_id", "self_edge"],
        ),
        (
            "items",
            {"item_id": "sku", "title": "name"},
            "json",
            '{"sku":"a","name":"A"}\n{"sku":"b","name":"B"\n{"name":"nameless"}\n'
            '{"sku":"c","name":"C"}{"sku":"d","name":"D"}\n',
            ["a", "c", "d"],
            ["unreadable", "missing_item_id"],
        ),
        (
            "items",
            {"item_id": "sku"},
            "json",
            '{"sku":["a","b"]}\n{"sku":" "}\n{"sku":7.0}\n',
            ["7"],
            ["list_item_id", "missing_item_id"],
        ),
    ],
)
def test_rows_of_attributes_are_taken_or_refused(kind, columns, form, text, keys, refused):
    source = source_of(kind=kind, format=form, columns=columns)

    shaped = shape_rows(records_of(text, source), source)

    key = next(iter(columns))
    assert [row[key] for row in shaped.rows.to_pylist()] == keys
    assert [", ".join(reasons) for reasons in shaped.refused["reasons"].to_pylist()] == refused


NAMES = (
    *("position", "length", "payload", "is_readable", "file", "kind", "source", "Payload", "line"),
    *("signature", "doubtful", "is_json_in_text", "brand", "Brand", "a b", 'q"x'),
)


@pytest.mark.parametrize("form", ["csv", "json", "parquet"])
def test_attributes_may_have_any_name(form):
    rows = [{"sku": f"s{n}"} | {f"c{k}": f"{n}{k}" for k in range(len(NAMES))} for n in range(2)]
    content = {
        "csv": "\n".join([",".join(rows[0]), "ragged", *(",".join(row.values()) for row in rows)]),
        "json": "\n".join([json.dumps(rows[0]), "broken", json.dumps(rows[1])]),
        "parquet": parquet(pa.Table.from_pylist(rows)),
    }[form]
    columns = {"item_id": "sku"} | {name: f"c{k}" for k, name in enumerate(NAMES)}
    source = source_of(kind="items", format=form, columns=columns)

    records = records_of(content, source, folders={"c0": "of the folder"})

    found = shape_rows(records, source).rows["attributes"].to_pylist()
    assert records.schema == schema_of(columns)
    assert found == [[(name, row[f"c{k}"]) for k, name in enumerate(NAMES)] for row in rows]


def test_names_that_a_delta_source_cannot_map_are_one_line():
    columns = {"item_id": "sku", "length": "minutes", "File": "f"}

    with pytest.raises(ValidationError, match="cannot map length, File of a Delta table"):
        source_of(kind="items", format="delta", columns=columns)


# 9. Sums wrap round: what is no finite number never gets that far. Quoted blanks are missing.
@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("3", 3.0),
        ("50000000000", 5e10),
        ("1e3", 1000.0),
        ("", None),
        (" ", None),
        ("Infinity", "bad_value"),
        ("-inf", "bad_value"),
        ("NaN", "bad_value"),
        ("1e400", "bad_value"),
        ("5d", "bad_value"),
        ("0x10", "bad_value"),
        ("1_000", "bad_value"),
        ("-1", "negative_value"),
    ],
)
@pytest.mark.parametrize("form", ["csv", "json"])
def test_values_are_finite_numbers_missing_or_refused(form, value, found):
    text = (
        f'u,i,v\nu,x,"{value}"\n' if form == "csv" else json.dumps({"u": "u", "i": "x", "v": value})
    )

    facts, reasons = events_of(text, format=form, columns=UIV, time=CONSTANT)

    assert [*(fact["value"] for fact in facts), *reasons] == [found]


# 11. Errors without file and source; files that are not what their names say.
@pytest.mark.parametrize(
    ("content", "settings", "suffix", "problem"),
    [
        (b"u,i,t\n", {}, ".gz", "is damaged ("),
        (gzip.compress(b"u,i,t\n" * 99, mtime=0)[:-9], {}, ".gz", "is damaged (it ends too early)"),
        (zstandard.compress(b"u,i,t\n" * 99)[:-5], {}, ".zst", "is damaged ("),
        (bz2.compress(b"u,i,t\n" * 99)[:-5], {}, ".bz2", "is damaged ("),
        (b"PAR1 no table", {"format": "parquet"}, "", "is not Parquet ("),
        (b"u,i,t\n", {"format": "json"}, "", "holds no JSON object in its first lines"),
        (b"u,i,t\n", {"format": "log"}, "", "has no line at its start that fits the pattern"),
    ],
)
def test_files_that_cannot_be_read_are_one_line_with_source_and_file(
    content, settings, suffix, problem
):
    columns = {"user_id": "user", "item_id": "path", "event_time": "time"}
    given = settings | ({"columns": columns} if settings.get("format") == "log" else {})
    with pytest.raises(DataError) as caught:
        events_of(content, suffix, **given)

    form = settings.get("format", "csv")
    assert str(caught.value).startswith(f"source s: /in/file.{form}{suffix} {problem}")
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("frame", "columns", "folders"),
    [
        (
            {"user.id": ["u1", "u2"], "item.id": ["a", "b"], "t": [T, T]},
            UIT | {"user_id": "user.id", "item_id": "item.id"},
            None,
        ),
        (
            {"u": ["u1", "u2"], "i": ["a", "b"], "t": pd.to_datetime([T, T]).as_unit("ns")},
            UIT,
            None,
        ),
        ({"u": ["u1", "u2"], "i": ["a", "b"]}, UIT, {"t": "2024-05-01"}),
        (
            {"u": [{"id": "u1"}, {"id": "u2"}], "i": ["a", "b"], "t": [T, T]},
            UIT | {"user_id": "u.id"},
            None,
        ),
        ({"u": pd.Categorical(["u1", "u2"]), "i": ["a", "b"], "t": [T, T]}, UIT, None),
    ],
)
def test_tables_that_spark_fails_on_are_read(frame, columns, folders):
    content = parquet(pd.DataFrame(frame))

    facts, reasons = events_of(content, format="parquet", columns=columns, folders=folders)

    assert (pairs(facts), reasons) == (["u1 a", "u2 b"], [])
    assert {str(fact["event_date"]) for fact in facts} == {"2024-05-01"}


# 14. Raw bytes in text columns.
ACCESS = {"user_id": "host", "item_id": "path", "event_time": "time", "user_agent": "agent"}
CLOCK = {"format": "dd/MMM/yyyy:HH:mm:ss Z"}


def test_bytes_of_an_access_log_that_are_no_utf8_are_kept_readable():
    start = b"192.0.2.%d - - [01/May/2024:10:00:0%d +0000] "
    rest = [
        b'"GET /caf\xe9 HTTP/1.1" 200 5 "-" "Brows\xe9r/1.0"',
        b'"GET /b HTTP/1.1" 200 5 "-" "Mozilla/5.0"',
        b'"\x16\x03\x01\xff" 400 0 "-" "-"',
        b'"GET /a b HTTP/1.1" 200 5 "-" "x"',
        b'"" 408 - "-" "-"',
        b'"get /lower HTTP/1.1" 200 5 "-" "x"',
    ]
    content = b"\n".join(start % (n, n) + text for n, text in enumerate(rest, 1))

    facts, reasons = events_of(content, format="log", columns=ACCESS, time=CLOCK)

    assert pairs(facts) == ["192.0.2.1 /caf\\xe9", "192.0.2.2 /b", "192.0.2.4 /a"]
    assert reasons == ["unreadable"] * 3


@pytest.mark.parametrize(
    ("content", "form"),
    [
        (b"u,i,t\ncaf\xe9,x,2024-05-01\n", "csv"),
        (b'u,i,t\n"caf\xe9","x",2024-05-01\n', "csv"),
        (parquet(pa.table({"u": [b"caf\xe9"], "i": ["x"], "t": [T]})), "parquet"),
    ],
)
def test_bytes_of_ids_that_are_no_utf8_are_kept_readable(content, form):
    facts, reasons = events_of(content, format=form)

    assert (pairs(facts), reasons) == (["caf\\xe9 x"], [])


def test_json_that_is_no_utf8_is_refused_with_its_bytes():
    source = source_of(format="json")
    records = records_of(A.encode() + b'\n{"u":"caf\xe9"}\n', source)

    assert records.slice(1)["payload"].to_pylist() == ['{"u":"caf\\xe9"}']


# Encodings, compression, quotes, separators within texts.
@pytest.mark.parametrize(
    ("encoding", "form", "word"),
    [
        ("UTF-16", "csv", "Äpfel"),
        ("UTF-16", "json", "文本"),
        ("UTF-16BE", "csv", "文本"),
        ("windows-1252", "csv", "Café €x”"),
        ("GB18030", "json", "中文产品"),
        ("Shift_JIS", "log", "ソース表"),
        ("UTF-8", "csv", "é\U0001f600"),
        ("utf-8-sig", "csv", "é"),
        ("cp850", "json", "é"),
    ],
)
@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_words_of_any_encoding(encoding, form, word, suffix):
    text = {
        "csv": f"\n\nu\ti\tt\nu1\t{word}\t{T}\nu2\tplain\t{T}\n",
        "json": f'{{"u":"u1","i":"{word}","t":"{T}"}}\n{line("u2", "plain")}',
        "log": f"u1 {word} {T}\nu2 plain {T}\n",
    }[form]
    pattern = r"^(?<u>\S+) (?<i>\S+) (?<t>\S+)$"
    raw = text.encode(encoding)
    # A piece at the start of a member may be as short as one byte.
    content = gzip.compress(raw[:1], mtime=0) + gzip.compress(raw[1:], mtime=0) if suffix else raw

    facts, reasons = events_of(
        content, suffix, format=form, encoding=encoding, delimiter="\t", pattern=pattern
    )

    assert (pairs(facts), reasons) == ([f"u1 {word}", "u2 plain"], [])


NOTES = f'u,i,t,n\nu1,a,{T},"one\ntwo"\nu2,b,{T},"plain"\nu3,c,{T},"x\ny\r\nz"\n'


def _in_two(pack):
    return lambda data: pack(data[:50]) + pack(data[50:])


@pytest.mark.parametrize(
    ("suffix", "pack"),
    [
        ("", bytes),
        (".zst", zstandard.compress),
        (".zst", _in_two(zstandard.compress)),
        (".gz", _in_two(gzip.compress)),
        (".bz2", _in_two(bz2.compress)),
    ],
)
def test_fields_of_several_lines_in_any_container(suffix, pack):
    columns = {"item_id": "i", "title": "u", "text": "n"}
    source = source_of(kind="items", columns=columns, multiline=True)

    records = records_of(pack(NOTES.encode()), source, suffix)

    assert shape_rows(records, source).rows["text"].to_pylist() == [
        "one\ntwo",
        "plain",
        "x\ny\r\nz",
    ]


@pytest.mark.parametrize(
    "content", [b"", gzip.compress(b"", mtime=0), gzip.compress(b"\n", mtime=0)]
)
def test_a_compressed_file_of_nothing_is_empty(content):
    assert records_of(content, source_of(), ".gz") is None


BOOKS = """"ISBN";"Title";"Author"
"1";"Plain title";"A. Author"
"2";"The \\"Big\\" Book";"B. Author"
"3";"Sail; a \\"semicolon\\"; tale";"C. Author"
"4";"Ends with a quote \\"";"D. Author"
"5";"Café \\"x\\"; y";"E. Author"
"6";"Doubled ""x""; y";"F. Author"
"7";"C:\\dir\\";"G. Author"
"""


def test_quotes_escaped_by_a_backslash():
    source = source_of(
        kind="items", delimiter=";", columns={"item_id": "ISBN", "title": "Title", "by": "Author"}
    )

    rows = shape_rows(records_of(BOOKS, source), source).rows

    assert rows["title"].to_pylist() == [
        "Plain title",
        'The "Big" Book',
        'Sail; a "semicolon"; tale',
        'Ends with a quote "',
        'Café "x"; y',
        'Doubled "x"; y',
        "C:\\dir\\",
    ]


@pytest.mark.parametrize("sign", ["\u2028", "\u2029", "\u0085", "\x0b", "\x1c"])
@pytest.mark.parametrize("form", ["json", "csv", "log"])
def test_separators_within_texts_end_no_record(sign, form):
    text = {
        "json": f'{{"u":"u1","i":"a{sign}b","t":"{T}"}}\n{B}',
        "csv": f"u,i,t\nu1,a{sign}b,{T}\nu2,b,{T}\n",
        "log": f"u1|a{sign}b|{T}\nu2|b|{T}\n",
    }[form]
    pattern = r"^(?<u>[^|]+)\|(?<i>[^|]+)\|(?<t>[^|]+)$"
    if form == "json" and sign < " ":
        text = text.replace(sign, f"\\u{ord(sign):04x}")

    facts, reasons = events_of(text, format=form, pattern=pattern)

    assert (pairs(facts), reasons) == ([f"u1 a{sign}b", "u2 b"], [])
