"""Files to records, end to end, without Spark."""

from __future__ import annotations

import gzip
import json

import pyarrow as pa
import pytest

from interest_graph.config import SourceConfig
from interest_graph.errors import DataError
from interest_graph.events.readers import Split, inspect_file, is_splittable, read_split
from interest_graph.events.records import Layout, schema_of

COLUMNS = {"user_id": "u", "item_id": "i", "event_time": "t"}


@pytest.fixture
def read(tmp_path):
    """read(content, settings): writes a file and returns its records."""

    def run(content, *, name="in.json", folders=None, columns=COLUMNS, **settings):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        settings = {"format": "json", "action": "view"} | settings
        source = SourceConfig(name="s", path=str(path), columns=columns, **settings)
        layout = inspect_file(path.as_uri(), source, folders=folders)
        if layout is None:
            return None
        tables = list(read_split(Split("s", path.as_uri()), source, layout))
        assert all(table.schema.equals(schema_of(columns)) for table in tables)
        return pa.concat_tables(tables).to_pylist() if tables else []

    return run


def fields(records):
    return [(r["user_id"], r["item_id"], r["event_time"]) for r in records]


def line(user, item, time=1):
    return json.dumps({"u": user, "i": item, "t": time})


@pytest.mark.parametrize("encoding", ["UTF-8", "UTF-16", "UTF-16LE", "ISO-8859-1", "GB18030"])
@pytest.mark.parametrize("shape", ["\r\n", "\n", "array"])
def test_encodings(read, encoding, shape):
    word = "文" if encoding == "GB18030" else "é"
    lines = [f'{{"u":"{word}","i":{n},"t":2}}' for n in range(3)]
    text = f"[{', '.join(lines)}]" if shape == "array" else shape.join(lines)

    records = read(text.encode(encoding), encoding=encoding)

    assert fields(records) == [(word, str(n), "2") for n in range(3)]


def test_a_compressed_file_of_another_encoding(read):
    packed = gzip.compress(f"{line('a', 'x')}\n".encode("utf-16"))

    assert fields(read(packed, name="a.json.gz", encoding="UTF-16")) == [("a", "x", "1")]


@pytest.mark.parametrize("content", ["", "\n\n", b"\xef\xbb\xbf"])
def test_a_file_of_blanks_has_no_layout(read, content):
    assert read(content) is None


def test_errors_name_source_and_file(read):
    with pytest.raises(DataError, match=r"^source s: /.*/in\.json has no column t; present: u, i$"):
        read('{"u":1,"i":2}')
    with pytest.raises(
        DataError, match=r"^source s: /.*/in\.json holds no JSON object in its first"
    ):
        read("u,i,t\n")
    with pytest.raises(DataError, match=r"^source s: /.*/in\.gz is damaged"):
        read(gzip.compress(b"x" * 1000)[:-9], name="in.gz")
    source = SourceConfig(name="s", path="/", format="json", columns=COLUMNS, action="view")
    with pytest.raises(DataError, match=r"^source s: /.* is no longer there$"):
        inspect_file("/no/such/file", source)


def test_items_of_json_arrays(read):
    text = "\n".join([line("a", ["x", "y"]), line("b", [501.0]), "broken", line("c", "p,q")])

    records = read(text, explode=",")

    assert [(r["user_id"], r["item_id"]) for r in records] == [
        ("a", "x"),
        ("a", "y"),
        ("b", "501"),
        (None, None),
        ("c", "p"),
        ("c", "q"),
    ]
    assert len({r["position"] for r in records}) == 6


@pytest.mark.parametrize(
    ("value", "expected"),
    [("2024-05-01", ["2024-05-01", "7", None]), (None, [None, "7", None])],
)
def test_columns_from_folders_fill_what_the_file_lacks(read, value, expected):
    text = '{"u":"a","i":"x"}\n{"u":"b","i":"x","t":7}\nbroken\n'

    records = read(text, folders={"t": value})

    assert [r["event_time"] for r in records] == expected


def test_a_column_of_the_file_comes_before_its_folder(tmp_path):
    source = SourceConfig(name="s", path="/", format="json", columns=COLUMNS, action="view")
    path = tmp_path / "a.json"
    path.write_text('{"u":"a","i":"x","t":null}\n')

    (table,) = read_split(Split("s", str(path)), source, Layout(("t",), folders={"t": "1"}))

    assert table["event_time"].to_pylist() == [None]


@pytest.mark.parametrize("step", [7, 40, 1000])
def test_ranges_of_a_file_give_what_the_whole_file_gives(tmp_path, read, step):
    lines = ["\ufeff" + line("a", 1), "broken", "", line("b", 2) + line("c", 3), line("d", 4)]
    whole = read("\n".join(lines))
    path = tmp_path / "in.json"
    source = SourceConfig(name="s", path="/", format="json", columns=COLUMNS, action="view")
    size = path.stat().st_size

    found = [
        record
        for start in range(0, size, step)
        for table in read_split(
            Split("s", str(path), start, min(step, size - start)), source, Layout()
        )
        for record in table.to_pylist()
    ]

    assert found == whole


def test_only_plain_files_in_utf8_are_split():
    source = SourceConfig(name="s", path="/", format="json", columns=COLUMNS, action="view")
    other = source.model_copy(update={"encoding": "UTF-16"})

    assert is_splittable("a.json", source)
    assert not any(is_splittable(name, source) for name in ("a.gz", "a.zst", "a.bz2"))
    assert not is_splittable("a.json", other)


PLUGIN = """
def read(path, content):
    for row in content.decode("latin-1").splitlines():
        user, item = row.split("=")
        yield {"u": user, "i": item, "x": "1"} if item else row
"""


def test_formats_of_ones_own(read, tmp_path, monkeypatch):
    (tmp_path / "own_format_of_pairs.py").write_text(PLUGIN)
    monkeypatch.syspath_prepend(tmp_path)
    columns, time = {"user_id": "u", "item_id": "i"}, {"constant": "2024-01-01T00:00:00"}
    settings = {"columns": columns, "time": time, "format": "own_format_of_pairs:read"}

    records = read(gzip.compress(b"\xe9=x\nb=\nc=y\n"), name="in.gz", **settings)

    assert [(r["position"], r["length"], r["user_id"], r["payload"]) for r in records] == [
        (0, None, "é", '{"x": "1"}'),
        (1, None, None, "b="),
        (2, None, "c", '{"x": "1"}'),
    ]
    with pytest.raises(
        DataError, match=r"own_format_of_pairs:read fails on .*in\.x \(ValueError at"
    ):
        read("no pair", name="in.x", **settings)
