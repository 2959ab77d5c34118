"""Every input format to the same records."""

from __future__ import annotations

import gzip
import json

import pytest
import zstandard

from interest_graph.config import SourceConfig
from interest_graph.errors import DataError
from interest_graph.events.parse import read_records
from interest_graph.events.source_schema import source_schemas
from interest_graph.events.sources import list_files


@pytest.fixture
def read(spark, tmp_path):
    """read(content, settings): writes a file and returns its records in order."""

    def run(content, *, name="in.csv", columns=None, **settings):
        (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        columns = columns or {"user_id": "u", "item_id": "i", "event_time": "t"}
        path = settings.pop("path", str(tmp_path / name))
        source = SourceConfig(name="s", path=path, columns=columns, action="view", **settings)
        schemas = source_schemas(spark, source, list_files(spark, source))
        return read_records(spark, source, schemas).orderBy("file", "position").collect()

    return run


def fields(rows):
    return [(row.user_id, row.item_id, row.event_time) for row in rows]


def test_csv_with_quotes_and_rest(read):
    rows = read('u,i,t,n\n"a ""b"", c",1,2,left\n\nd,,3,\n')

    assert fields(rows) == [('a "b", c', "1", "2"), ("d", None, "3")]
    assert [json.loads(row.payload) for row in rows] == [{"n": "left"}, {}]


def test_csv_rows_of_another_width_are_unreadable_and_kept(read):
    rows = read("u,i,t\na,1,2\nb,1\nc,1,2,3\n")

    assert [row.is_readable for row in rows] == [True, False, False]
    assert [row.payload for row in rows] == [None, "b,1", "c,1,2,3"]


def test_csv_without_header_of_several_character_delimiters(read):
    columns = {"user_id": "_c0", "item_id": "_c2", "event_time": "_c3"}

    rows = read("a::x::1::2\nb::y::3::4\n", columns=columns, delimiter="::", header=False)

    assert fields(rows) == [("a", "1", "2"), ("b", "3", "4")]


def test_csv_with_line_ends_within_quotes(read):
    rows = read('u,i,t\n"a\nb",1,2\n', multiline=True)

    assert fields(rows) == [("a\nb", "1", "2")]


@pytest.mark.parametrize("encoding", ["ISO-8859-1", "GB18030", "UTF-8-SIG"])
@pytest.mark.parametrize("form", ["csv", "json"])
def test_encodings(read, encoding, form):
    word = "文" if encoding == "GB18030" else "é"
    line = f"u,i,t\n{word},1,2\n" if form == "csv" else f'{{"u":"{word}","i":1,"t":2}}\n'
    declared = "UTF-8" if encoding == "UTF-8-SIG" else encoding

    rows = read(line.encode(encoding), format=form, encoding=declared)

    assert fields(rows) == [(word, "1", "2")]


def test_json_with_nested_fields_drift_and_broken_lines(read):
    lines = [
        '{"who": {"id": 7, "x": 1}, "i": "1", "t": 1.5}',
        '{"who": {"id": "b"}, "i": 2, "t": "2", "new": {"k": [1]}}',
        '{"who": "gone", "i": [3], "t": null}',
        '{"who": {"id": "c"}, "i"',
        "[1]",
    ]
    columns = {"user_id": "who.id", "item_id": "i", "event_time": "t", "value": "absent"}

    rows = read("\n".join(lines), format="json", columns=columns)

    assert fields(rows)[:3] == [("7", "1", "1.5"), ("b", "2", "2"), (None, "[3]", None)]
    assert json.loads(rows[1].payload)["new"] == '{"k":[1]}'
    assert [row.is_readable for row in rows] == [True, True, True, False, False]
    assert rows[3].payload == lines[3]
    assert {row.value for row in rows} == {None}


def test_access_log(read):
    agent = r"Mozilla/5.0 (a \"quoted\" one)"
    start = '1.2.3.4 - - [17/May/2015:10:05:03 +0000] "GET /a?b HTTP/1.1"'
    lines = [
        f'{start} 200 12 "-" "{agent}"',
        f'{start} 304 - "http://r" "-"',
        f'{start} 200 1 "-" "cut',
    ]
    columns = {"user_id": "host", "item_id": "path", "event_time": "time", "user_agent": "agent"}

    rows = read("\n".join(lines), format="log", columns=columns)

    assert fields(rows)[0] == ("1.2.3.4", "/a?b", "17/May/2015:10:05:03 +0000")
    assert [row.user_agent for row in rows] == [agent, None, None]
    assert [row.is_readable for row in rows] == [True, True, False]
    assert (json.loads(rows[1].payload)["referer"], rows[2].payload) == ("http://r", lines[2])


@pytest.mark.parametrize(("name", "pack"), [("a.gz", gzip.compress), ("a.zst", zstandard.compress)])
@pytest.mark.parametrize("form", ["csv", "json"])
def test_compressed_files(read, name, pack, form):
    text = (
        "u,i,t\na,1,2\nb,3,4\n" if form == "csv" else '{"u":"a","i":1,"t":2}\n{"u":"b","i":3,"t":4}'
    )

    rows = read(pack(text.encode()), name=name, format=form)

    assert fields(rows) == [("a", "1", "2"), ("b", "3", "4")]


@pytest.mark.parametrize("form", ["parquet", "delta"])
def test_typed_files(spark, read, tmp_path, form):
    made = spark.sql(
        "SELECT 7 AS u, struct('1' AS id) AS i, TIMESTAMP '2024-01-01' AS t, array(1) AS n"
    )
    made.write.format(form).save(str(tmp_path / "table"))
    columns = {"user_id": "u", "item_id": "i.id", "event_time": "t"}

    rows = read("", path=str(tmp_path / "table"), format=form, columns=columns)

    assert fields(rows) == [("7", "1", "2024-01-01 00:00:00")]
    assert json.loads(rows[0].payload)["n"] == [1]


def test_files_of_a_folder_may_differ_in_order_and_number_of_columns(read, tmp_path):
    folder = tmp_path / "in put+{1}"
    folder.mkdir()
    (folder / "a.csv").write_text("u,i,t\na,1,2\n")
    (folder / "b.csv").write_text("t,x,i,u\n2,9,1,b\n")
    (folder / "_hidden.csv").write_text("nothing")

    rows = read("", path=str(tmp_path / "in put*"))

    assert fields(rows) == [("a", "1", "2"), ("b", "1", "2")]
    assert rows[0].file.endswith("/in%20put+%7B1%7D/a.csv")


def test_a_missing_column_is_named_with_the_file_and_those_present(read):
    with pytest.raises(DataError, match=r"in.csv has no column t; present: u, i$"):
        read("u,i\na,1\n")
