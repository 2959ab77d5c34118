"""A few inputs of every format on every run of the suite; `run.py` goes on for as long as asked."""

from __future__ import annotations

import pyarrow.compute as pc
import pytest
from tests.fuzz import properties
from tests.fuzz.campaign import failure_of, input_of, minimised, outcome_of
from tests.fuzz.formats import FORMATS

from interest_graph.errors import ConfigError, DataError
from interest_graph.events.readers import csv_records

BY_NAME = {fuzzed.name: fuzzed for fuzzed in FORMATS}
NUMBERS = range(1000, 1006)

# Inputs that once failed a check.
FOUND = [
    # A record on one line that is longer than a quoted field may stay open.
    ("csv-gives-up", 50000000, b'"u","i","t"\n"u2","{bm","2-05-01T10:05:0' + b"{" * 40 + b'Z"\n'),
    # Windows that held a byte order mark alone, and no header.
    ("csv-gives-up", 20000025, b'\xef\xbb\xbf"u","i","t"'),
    # UTF-16 without a mark whose first piece, as from a tiny member of gzip, is one byte long.
    ("json-utf16", 30000002, '{"u":"a","i":"b","t":1}'.encode("utf-16-be")),
    ("json-utf16", 30000055, '{"u":"a","i":"b","t":1}'.encode("utf-16-le")),
]


@pytest.mark.parametrize("name", BY_NAME)
def test_whatever_the_bytes_are(name):
    fuzzed = BY_NAME[name]
    contents = [(number, input_of(fuzzed, number)) for number in NUMBERS]

    failures = [failure_of(fuzzed, number, content) for number, content in contents]

    assert [str(failure) for failure in failures if failure] == []


@pytest.mark.parametrize(("name", "number", "content"), FOUND)
def test_inputs_that_failed_before(name, number, content):
    assert failure_of(BY_NAME[name], number, content) is None


@pytest.mark.parametrize("name", BY_NAME)
def test_undamaged_files_are_read(name):
    fuzzed = BY_NAME[name]
    for number in range(min(len(fuzzed.seeds), 4)):
        assert outcome_of(fuzzed, number, input_of(fuzzed, number)) == "read"


def _without_last(table):
    return table.slice(0, max(len(table) - 1, 0))


def _with_shifted(table):
    return table.set_column(0, "position", pc.add(table["position"], 1))


def _with_longer(table):
    return table.set_column(1, "length", pc.add(table["length"], 1))


def _with_other_values(table):
    place = table.schema.get_field_index("item_id")
    return table.set_column(place, "item_id", table["user_id"])


CHANGES = [_without_last, _with_shifted, _with_longer, _with_other_values]


@pytest.mark.parametrize("change", CHANGES)
def test_a_reader_that_loses_or_moves_bytes_is_found_out(monkeypatch, change):
    read = csv_records.read_window
    monkeypatch.setattr(csv_records, "read_window", lambda *given: change(read(*given)))
    fuzzed = BY_NAME["csv-plain"]

    failure = failure_of(fuzzed, 0, input_of(fuzzed, 0))

    assert failure is not None


def test_a_reader_that_depends_on_windows_is_found_out(monkeypatch):
    monkeypatch.setattr(csv_records, "end_of_records", lambda window, *_: len(window) // 2)
    fuzzed = BY_NAME["csv-plain"]

    assert failure_of(fuzzed, 0, input_of(fuzzed, 0)) is not None


@pytest.mark.parametrize(
    "error",
    [
        ValueError("x"),
        DataError("no file's name"),
        DataError("source s: /fuzz/in.csv a\u2028b"),
        ConfigError("sources.s.columns", "one\ntwo"),
    ],
)
def test_errors_that_help_nobody_are_found_out(monkeypatch, error):
    def fail(*_):
        raise error

    monkeypatch.setattr(properties, "inspect_file", fail)
    problem = failure_of(BY_NAME["csv-plain"], 0, b"u,i,t\n")

    assert (problem is None) == ("/fuzz/in.csv" in str(error))  # DataError escapes line breaks


def test_a_failing_input_is_made_small(monkeypatch):
    def fail(_, content, __):
        assert b"!" not in content, "a mark"

    monkeypatch.setattr("tests.fuzz.campaign.check", fail)
    failure = failure_of(BY_NAME["csv-plain"], 0, b"u,i,t\na,b,1\na!,b,2\n")

    assert minimised(BY_NAME["csv-plain"], failure).content == b"!"
