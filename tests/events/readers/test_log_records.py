"""Log lines to records, by two engines that must agree."""

from __future__ import annotations

import json
import random

import pytest
from pydantic import ValidationError

from interest_graph.config import SourceConfig
from interest_graph.config.log_patterns import for_re, for_re2, group_names
from interest_graph.config.sources import LOG_PATTERNS
from interest_graph.errors import DataError
from interest_graph.events.readers import log_records
from interest_graph.events.readers.log_records import end_of_records, inspect, read_window
from interest_graph.events.records import Layout, readable, schema_of

USER_ITEM = r"user=(?<user>\w+) sku=(?<sku>\w+)"
ACCESS = {"user_id": "host", "item_id": "path", "event_time": "time", "user_agent": "agent"}
START = '192.0.2.1 - - [01/May/2024:10:00:00 +0000] "GET /a?b HTTP/1.1" 200 12'


def source_of(pattern=USER_ITEM, columns=None, **settings):
    columns = columns or {"user_id": "user", "item_id": "sku"}
    if "event_time" not in columns:
        settings["time"] = {"constant": "2024-05-01"}
    return SourceConfig(
        name="s",
        path="in",
        format="log",
        pattern=pattern,
        columns=columns,
        action="view",
        **settings,
    )


def read(text, pattern=USER_ITEM, columns=None):
    raw = text if isinstance(text, bytes) else text.encode()
    source = source_of(pattern, columns)
    table = read_window(raw, 0, source, Layout(tuple(group_names(source.regex))))
    table.validate(full=True)
    assert table.schema == schema_of(source.columns)
    return table.to_pylist()


def found(rows, *columns):
    """The columns of each record; of a refused one, its raw text."""
    columns = columns or ("user_id", "item_id")
    return [
        tuple(row[c] for c in columns) if row["is_readable"] else row["payload"] for row in rows
    ]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("May  1 10:00:00 web1 shop[311]: user=u1 sku=a", ("u1", "a")),
        ("user=u1 sku=a", ("u1", "a")),
        ("user=u1 sku=a at=now", ("u1", "a")),
        ("x user=u1 sku=a user=u2 sku=b", ("u1", "a")),
        ("user=u1 sku=é", "user=u1 sku=é"),
        ("user=ué1 user=u2 sku=a", ("u2", "a")),
        ("user= sku=a", "user= sku=a"),
    ],
)
def test_a_pattern_without_anchors_is_found_anywhere(line, expected):
    assert found(read(line)) == [expected]


@pytest.mark.parametrize(
    ("pattern", "line", "is_found"),
    [
        (r"^(?<user>\w+) (?<sku>\w+)$", "u1 a", True),
        (r"^(?<user>\w+) (?<sku>\w+)$", "x u1 a", False),
        (r"^(?<user>\w+) (?<sku>\w+)$", "u1 a\r", True),
        (r"(?<user>\w+) (?<sku>\w+)$", "x u1 a", True),
        (r"^(?<user>\w+) (?<sku>\w+)", "u1 a !", True),
        (r"(?P<user>u\d) (?P<sku>\w+)", "x u1 a", True),
        (r"(?<user>u\d) (GET|PUT) (?<sku>\w+)", "u1 PUT a", True),
        (r"(?<user>u\d)\(?<(?<sku>\w+)>", "u1<a>", True),
        (r"(?<user>u\d)[(?<x>](?<sku>\w+)", "u1>a", True),
        (r"(?<user>u\d) \Q(.\E(?<sku>\w+)", "u1 (.a", True),
    ],
)
def test_anchors_and_groups_are_those_of_the_pattern(pattern, line, is_found):
    assert found(read(line, pattern)) == [("u1", "a") if is_found else line.rstrip("\r")]


@pytest.mark.parametrize(
    ("pattern", "line"),
    [
        (r"(?<=user=)(?<user>\w+) (?<sku>\w+)", "user=u1 a"),
        (r"(?<user>u\d) (?!b)(?<sku>\w+)", "u1 b u1 a"),
        (r"(?<user>\w++) (?<sku>\w+)", "u1 a"),
        (r"(?<quote>['|])(?<user>\w+)\k<quote>(?<sku>\w+)", "'u1'a"),
        (r"(['|])(?<user>\w+)\1(?<sku>\w+)", "'u1'a"),
    ],
)
def test_patterns_beyond_re2_are_read_by_re(pattern, line):
    assert for_re2(pattern) is None
    assert found(read(line, pattern)) == [("u1", "a")]


@pytest.mark.parametrize(
    "line",
    [
        f'{START} "-" "Mozilla/5.0 (a \\"quoted\\" one)"',
        f'{START} "http://r" "-"',
        f'{START} "-" "back\\\\"',
        f'{START} "-" ""',
        f'{START} "" ""',
        f'{START} "-" "é"',
        f'{START} "-" "cut',
        f"{START}",
        '192.0.2.3 - - [01/May/2024:10:00:00 +0000] "\\x16\\x03" 400 0 "-" "-"',
        '192.0.2.4 - - [01/May/2024:10:00:00 +0000] "GET /a b HTTP/1.1" 200 5 "-" "x"',
        '192.0.2.5 - - [01/May/2024:10:00:00 +0000] "" 408 - "-" "-"',
        '192.0.2.6 - - [01/May/2024:10:00:00 +0000] "GET /a" 200 - "-" "-"',
    ],
)
def test_access_logs_as_re_reads_them(line):
    columns = {"user_id": "host", "item_id": "path", "user_agent": "agent", "value": "referer"}
    names = ("host", "path", "agent", "referer")

    rows = read(line, "combined", columns)

    match = for_re(LOG_PATTERNS["combined"]).search(line)
    texts = [None if match[name] in ("", "-") else match[name] for name in names] if match else None
    expected = tuple(texts) if texts else line
    assert found(rows, "user_id", "item_id", "user_agent", "value") == [expected]


def test_common_logs_and_what_is_left_over():
    rows = read(START.replace(" HTTP/1.1", ""), "common", {"user_id": "host", "item_id": "path"})

    assert found(rows) == [("192.0.2.1", "/a?b")]
    assert json.loads(rows[0]["payload"]) == {
        "time": "01/May/2024:10:00:00 +0000", "method": "GET", "status": "200", "size": "12",
    }  # fmt: skip


def test_bytes_that_are_not_utf8_are_written_out():
    lines = [
        b'192.0.2.1 - - [t] "GET /caf\xe9 HTTP/1.1" 200 5 "-" "Brows\xe9r"',
        b'192.0.2.3 - - [t] "\x16\x03\x01\xff\xfe\x80" 400 0 "-" "-"',
        b'192.0.2.1 - - [t] "GET /caf\xc3\xa9 HTTP/1.1" 200 5 "-" "-"',
    ]

    rows = read(b"\n".join(lines), "combined", ACCESS)

    assert found(rows, "item_id", "user_agent") == [
        ("/caf\\xe9", "Brows\\xe9r"), readable(lines[1]), ("/café", None),
    ]  # fmt: skip


def test_positions_lengths_blanks_and_marks():
    rows = read("\ufeffuser=a sku=1 é\r\n\r\n \t\nuser=\n\nuser=b sku=2")

    assert [(row["position"], row["length"], row["is_readable"]) for row in rows] == [
        (3, 15, True), (25, 5, False), (32, 12, True),
    ]  # fmt: skip


def test_layout_is_the_groups_of_the_pattern():
    assert inspect(b"x\nuser=a sku=b\n", source_of()) == Layout(columns=("user", "sku"))
    assert inspect(b"\xef\xbb\xbf\n \r\n", source_of()) is None
    assert end_of_records(b"a\nb", source_of(), Layout()) == 2
    assert end_of_records(b"a", source_of(), Layout()) == 0


@pytest.mark.parametrize(
    ("head", "columns", "problem"),
    [
        (b"nothing here\n", None, r"^has no line at its start that fits the pattern$"),
        (
            b"user=a sku=b\n",
            {"user_id": "user", "item_id": "item"},
            r"^has no column item; present: user, sku$",
        ),
    ],
)
def test_heads_that_do_not_fit(head, columns, problem):
    with pytest.raises(DataError, match=problem):
        inspect(head, source_of(columns=columns))


@pytest.mark.parametrize(
    ("pattern", "problem"),
    [
        (r"(?<user>\w+", "is no regular expression: missing \\)"),
        (r"(?<user>\w+) (?<user>\w+)", "is no regular expression: two groups have the same name"),
        (r"(?<user>x{3,2})", "is no regular expression"),
        (r"(?<user>\h+)", "is no regular expression"),
        (r"(\w+) \(?<x>", r"with \(\?<name>\.\.\.\) groups"),
    ],
)
def test_patterns_that_no_engine_reads_are_refused_with_the_settings(pattern, problem):
    with pytest.raises(ValidationError, match=problem):
        source_of(pattern)


PATTERNS = [
    r"(?<user>\w+)\s(?<sku>\S+)",
    r"(?<user>\w+) ?(?<sku>\d*)$",
    r"^(?<user>[^ ]*) (?<sku>.*)$",
    r"(?<user>a|ab)(?<sku>c|bcd)?",
    r"(?<user>\d+)(?:-(?<sku>\w*))?",
    r"\b(?<user>\w)\b.*?(?<sku>\W)",
    r"(?:(?<user>a)|(?<sku>b))*",
    r"(?<user>a{,2})(?<sku>b)",
    r"(?i)(?<user>k)(?<sku>\w)",
    r"(?<user>é+)|(?<sku>[^\x00-\x7f])",
    LOG_PATTERNS["common"],
]


@pytest.mark.parametrize("pattern", PATTERNS)
def test_both_engines_find_the_same(monkeypatch, pattern):
    rng = random.Random(7)
    signs = [
        "a",
        "b",
        "ab",
        "c",
        "d",
        "1",
        "٣",
        "-",
        " ",
        "\t",
        "\x0b",
        "\x0c",
        "é",
        "K",
        "k",
        "文",
        "\\",
        "$",
    ]
    lines = ["".join(rng.choices(signs, k=rng.randrange(9))) for _ in range(400)]
    text = "\n".join([START, *lines])
    columns = {"user_id": group_names(pattern)[0], "item_id": group_names(pattern)[1]}

    usual = read(text, pattern, columns)
    # One line at a time: each by the engine that its own text calls for.
    alone = [row for line in [START, *lines] for row in read(line, pattern, columns)]
    monkeypatch.setattr(log_records, "for_re2", lambda _: None)

    by_re = read(text, pattern, columns)
    assert usual == by_re
    assert found(alone) == found(by_re)
