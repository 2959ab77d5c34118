"""Windows of files: compression, encodings, byte ranges, damage."""

from __future__ import annotations

import bz2
import gzip
import io
import pickle
from itertools import pairwise

import pytest
import zstandard

from interest_graph.config import SourceConfig
from interest_graph.errors import ConfigError, DataError
from interest_graph.events.readers import source_bytes
from interest_graph.events.readers.source_bytes import Split, content, head, open_local, windows
from interest_graph.events.records import Layout

TEXT = b"".join(b"line %d\n" % n for n in range(5000)) + b"the last"
SKIPPABLE = b"\x50\x2a\x4d\x18\x04\x00\x00\x00abcd"


def source(**settings):
    columns = {"user_id": "u", "item_id": "i", "event_time": "t"}
    return SourceConfig(name="s", path="/in", columns=columns, action="view", **settings)


def last_line_end(window, source, layout):
    return window.rfind(b"\n") + 1


def read(data, name="a.json", *, start=0, length=None, size=1000, **settings):
    split = Split("s", name, start, length)
    found = windows(
        split, source(**settings), Layout(), lambda _: io.BytesIO(data), last_line_end, size
    )
    return list(found)


def text_of(found):
    """The windows joined, after a check that each begins where the one before it ended."""
    for (base, window), (following, _) in pairwise(found):
        assert base + len(window) == following
        assert window.endswith(b"\n")
    return b"".join(window for _, window in found)


HALVES = TEXT[:9000], TEXT[9000:]
LONG = zstandard.ZstdCompressionParameters(window_log=27, enable_ldm=True)
PACKED = {
    "plain.json": TEXT,
    "one.gz": gzip.compress(TEXT),
    "members.gz": b"".join(map(gzip.compress, HALVES)),
    "padded.gz": gzip.compress(TEXT) + b"\0" * 40_000,
    "one.zst": zstandard.compress(TEXT),
    "frames.zst": SKIPPABLE + b"".join(map(zstandard.compress, HALVES)) + SKIPPABLE,
    "long.zst": zstandard.ZstdCompressor(compression_params=LONG).compress(TEXT),
    "streams.bz2": b"".join(map(bz2.compress, HALVES)),
}


@pytest.mark.parametrize("name", PACKED)
def test_files_are_decompressed_by_their_names(name):
    assert text_of(read(PACKED[name], name)) == TEXT


@pytest.mark.parametrize("name", ["one.gz", "members.gz", "one.zst", "frames.zst", "streams.bz2"])
@pytest.mark.parametrize("cut", [5, 20])
def test_a_truncated_file_is_damaged(name, cut):
    packed = PACKED[name].removesuffix(SKIPPABLE)[:-cut]

    with pytest.raises(DataError, match=rf"^source s: {name} is damaged \(.+\)$"):
        read(packed, name)


@pytest.mark.parametrize("name", ["a.gz", "a.zst", "a.bz2"])
def test_a_file_that_is_not_what_its_name_says_is_damaged(name):
    with pytest.raises(DataError, match=f"{name} is damaged"):
        read(TEXT, name)


@pytest.mark.parametrize("name", ["a.json", "a.gz", "a.zst", "a.bz2"])
def test_an_empty_file_has_no_window(name):
    assert read(b"", name) == []


@pytest.mark.parametrize(
    "encoding", ["UTF-16", "UTF-16-LE", "UTF-16BE", "UTF-32", "GB18030", "windows-1251", "UTF-8"]
)
@pytest.mark.parametrize("name", ["a.json", "a.gz"])
def test_encodings_become_utf8(encoding, name):
    text = "".join(f"слово {n}\r\n" for n in range(90_000))  # more than one chunk
    data = text.encode(encoding)

    found = read(gzip.compress(data) if name == "a.gz" else data, name, encoding=encoding)

    assert text_of(found).decode() == text


@pytest.mark.parametrize("codec", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
@pytest.mark.parametrize("text", ["user\titem\n1\t2\n", "имя\nслово 1\n"])
def test_the_byte_order_is_found_without_a_mark(codec, text):
    assert text_of(read(text.encode(codec), encoding=codec[:6])).decode() == text


def test_bytes_that_do_not_decode_are_escaped():
    assert text_of(read(b"a\x81\x20b\xffc\n", encoding="GB18030")) == b"a\\x81 b\\xffc\n"
    assert text_of(read(b"a\xffb\n", encoding="UTF-8")) == b"a\xffb\n"
    assert text_of(read(b"a\x00\x00\xd8b\x00c", encoding="UTF-16")) == b"a\\x00\\xd8b\\x63"


@pytest.mark.parametrize("encoding", ["UTF-99", "rot13", "hex", "no such", "a\0b"])
def test_an_unknown_encoding_names_the_setting(encoding):
    with pytest.raises(ConfigError, match=r"^sources\.s\.encoding: "):
        read(b"a", encoding=encoding)


@pytest.mark.parametrize("step", [1, 7, 8, 1000, 43_000])
def test_ranges_give_every_line_once(step):
    data = TEXT[-500:] if step < 10 else TEXT
    ranges = [
        read(data, start=start, length=min(step, len(data) - start))
        for start in range(0, len(data), step)
    ]

    found = [window for windows_ in ranges for window in windows_]

    assert text_of(found) == data
    assert all(base == 0 or data[base - 1 : base] == b"\n" for base, _ in found)


def test_a_window_grows_until_it_holds_a_record(monkeypatch):
    monkeypatch.setattr(source_bytes, "_CHUNK", 1 << 10)

    assert text_of(read(b"a" * 50_000 + b"\nb\n")) == b"a" * 50_000 + b"\nb\n"


def test_a_record_beyond_all_bounds_names_the_file(monkeypatch):
    monkeypatch.setattr(source_bytes, "LARGEST_RECORD", 4000)
    monkeypatch.setattr(source_bytes, "_CHUNK", 1 << 10)

    with pytest.raises(DataError, match=r"a\.json is damaged \(a record at byte 2 is longer"):
        read(b"a\n" + b"a" * 50_000 + b"\nb\n")


def test_a_file_that_vanished_or_shrank_is_named(tmp_path):
    gone = windows(Split("s", str(tmp_path / "x")), source(), Layout(), open_local, last_line_end)

    with pytest.raises(DataError, match=r"^source s: .*/x is no longer there$"):
        list(gone)
    with pytest.raises(DataError, match=r"a\.json has become shorter: 4 bytes of 9"):
        read(b"a\nb\n", start=2, length=7)


@pytest.mark.parametrize(
    "name", ["a b.json", "50%.json", "a%20b.json", "文#[x].json", "10:00.json"]
)
def test_local_paths_and_uris(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(b"here")

    for given in (str(path), path.as_uri(), path.as_uri().replace("file:///", "file:/")):
        with open_local(given) as file:
            assert file.read() == b"here"


def test_the_head_ends_at_a_line_end(monkeypatch):
    monkeypatch.setattr(source_bytes, "HEAD_BYTES", 10)

    def of(data):
        return head("a.json", source(), lambda _: io.BytesIO(data))

    assert of(b"1234\n5678\n90") == b"1234\n5678\n"
    assert of(b"1234\n5678") == b"1234\n5678"
    assert of(b"1234567890123") == b"1234567890123"  # of CSV, the first line is whole


def test_content_is_decompressed_but_not_transcoded():
    packed = bz2.compress("é".encode("latin-1"))

    assert content(Split("s", "a.bz2"), lambda _: io.BytesIO(packed)) == b"\xe9"


def test_splits_are_picklable():
    split = Split("s", "file:/in/a%20b.json", 3, 4)

    assert pickle.loads(pickle.dumps(split)) == split
