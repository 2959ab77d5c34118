"""What is fuzzed: sources of every format, with small well-formed files of each."""

from __future__ import annotations

import bz2
import gzip
import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

from interest_graph.config import SourceConfig

TIME = "2024-05-01T10:0{}:00Z"


@dataclass(frozen=True)
class Fuzzed:
    """A source and its files. pack: how text becomes the bytes of a file, compressed or encoded.

    give_up: bytes after which a reader gives up an open quote or brace, instead of 1 MB.
    """

    name: str
    settings: Mapping[str, Any]
    seeds: tuple[bytes, ...]
    suffix: str = ""
    pack: Callable[[bytes], bytes] = field(default=bytes)
    give_up: int | None = None

    @cached_property
    def source(self) -> SourceConfig:
        given = {"columns": EVENTS, "action": "view", "path": "/fuzz"} | dict(self.settings)
        return SourceConfig(name="s", **given)

    @property
    def path(self) -> str:
        return f"/fuzz/in.{self.source.format}{self.suffix}"


EVENTS = {"user_id": "u", "item_id": "i", "event_time": "t"}
ALL_COLUMNS = {"event_id": "e", "user_id": "u", "item_id": "i", "event_time": "t", "value": "v"}
NESTED = {"user_id": "c.u", "item_id": "i", "event_time": "t", "value": "c.v"}
FRIENDS = {"user_id": "u", "friend_id": "i", "weight": "t"}
ITEMS = {"item_id": "i", "title": "u", "categories": "t", "brand": "b"}
ACCESS = {"user_id": "host", "item_id": "path", "event_time": "time"}
AGENTS = {**ACCESS, "user_agent": "agent"}
CLOCK = {"format": "dd/MMM/yyyy:HH:mm:ss Z"}

WORDS = ("plain", "é文\U0001f600", 'a "b" c', "back\\slash", "x,y;z", "{brace}[", "", " p ", "7.0")


def _rows(words: tuple[str, ...] = WORDS) -> list[dict[str, Any]]:
    return [{"u": f"u{n % 3}", "i": word, "t": TIME.format(n)} for n, word in enumerate(words)]


def _json_seeds() -> tuple[str, ...]:
    rows: list[dict[str, Any]] = [
        {**row, "n": n * 1.5, "o": {"a": [1, None, "x"]}} for n, row in enumerate(_rows())
    ]
    rows[3] |= {"u": 12345678.0, "i": ["a", "b", 5.0]}
    rows[4]["c"] = {"u": 1054364498.16, "v": True}
    texts = [json.dumps(row, ensure_ascii=n % 2 == 0) for n, row in enumerate(rows)]
    return (
        "\n".join(texts) + "\n",
        "\r\n".join(texts),
        "".join(texts[:3]) + "\n" + "".join(texts[3:5]) + " rubbish\n\n" + texts[5],
        json.dumps(rows[:4]),
        json.dumps(rows[:3], indent=2) + "\n",
        "[\n" + ",\n".join(texts[:4]) + "\n]\n",
        "\n".join(json.dumps(row, indent=1) for row in rows[:3]),
        "\ufeff" + texts[0] + "\n\ufeff" + texts[1] + "\n",
    )


def _csv_row(values: list[str], sign: str, escape: str, *, quoted: bool) -> str:
    quote = '\\"' if escape == "backslash" else '""'
    cells = [value.replace("\\", "\\\\") if escape == "backslash" else value for value in values]
    if not quoted:
        return sign.join(cell.translate(str.maketrans("", "", f'"\n{sign}')) for cell in cells)
    return sign.join('"' + cell.replace('"', quote) + '"' for cell in cells)


def _csv(
    sign: str = ",",
    escape: str = "doubled",
    *,
    quoted: bool = True,
    end: str = "\n",
    many: str = "",
) -> str:
    words = (*WORDS, f"two{end}lines{end}") if many else WORDS
    rows = [["u", "i", "t"], *([r["u"], r["i"] + many, r["t"]] for r in _rows(words))]
    return end.join(_csv_row(row, sign, escape, quoted=quoted) for row in rows) + end


def _csv_seeds(sign: str = ",", escape: str = "doubled", many: str = "") -> tuple[str, ...]:
    return (
        _csv(sign, escape, quoted=False),
        _csv(sign, escape, many=many),
        "\ufeff" + _csv(sign, escape, end="\r\n", many=many),
        _csv(sign, escape, quoted=False, end="\r"),
        "\n \n" + _csv(sign, escape, quoted=False) + _csv(sign, escape),
    )


def _access_seeds() -> tuple[str, ...]:
    start = "192.0.2.{n} - {user} [01/May/2024:10:00:0{n} +0000]"
    users, paths = ("-", "bob", "u1", "é"), ("/a", "/b?x=1", "/文", "/a")
    common = [
        (start + ' "GET {path} HTTP/1.1" 200 5').format(n=n, user=user, path=path)
        for n, (user, path) in enumerate(zip(users, paths, strict=True))
    ]
    agents = ("Mozilla/5.0", "Googlebot/2.1", "-", 'a \\"b\\"')
    combined = [f'{line} "-" "{agent}"' for line, agent in zip(common, agents, strict=True)]
    free = [f"May  1 shop[{n}]: host=h{n} path={p} time={n}" for n, p in enumerate(paths)]
    return tuple(
        end.join([*lines, ""]) for lines in (common, combined, free) for end in ("\n", "\r\n", "\r")
    )


def _parquet_seeds() -> tuple[bytes, ...]:
    n = 12
    columns = {
        "u": [f"u{k % 3}" if k % 5 else None for k in range(n)],
        "i": [float(k) if k % 4 else None for k in range(n)],
        "t": pa.array([1_714_557_600_000 + k for k in range(n)], pa.timestamp("ms")),
        "l": [[k, None] if k % 2 else None for k in range(n)],
        "s": [{"a": k, "b": "é"} for k in range(n)],
        "b": pa.array([bytes([k, 255]) for k in range(n)], pa.binary()),
    }
    table = pa.table(columns)
    ways: tuple[dict[str, Any], ...] = (
        {},
        {"compression": "zstd", "row_group_size": 5},
        {"compression": "none", "use_dictionary": False, "data_page_version": "2.0"},
        {"compression": "gzip", "write_page_checksum": True},
        {"use_deprecated_int96_timestamps": True, "compression": "none"},
    )
    return tuple(_parquet(table, way) for way in ways)


def _parquet(table: pa.Table, way: Mapping[str, Any]) -> bytes:
    file = io.BytesIO()
    pq.write_table(table, file, **way)
    return file.getvalue()


def _encoded(texts: tuple[str, ...], encoding: str = "utf-8") -> tuple[bytes, ...]:
    return tuple(text.encode(encoding, "replace") for text in texts)


def _zstd(data: bytes) -> bytes:
    half = len(data) // 2  # two frames
    return b"".join(zstandard.compress(part) for part in (data[:half], data[half:]))


def _gzip(data: bytes) -> bytes:
    third = len(data) // 3  # three members
    parts = (data[:third], data[third : third + 1], data[third + 1 :])
    return b"".join(gzip.compress(part, mtime=0) for part in parts)


_JSON = _json_seeds()
_LINES, _ARRAYS = (*_JSON[:3], _JSON[7]), _JSON[3:7]
_ACCESS = _access_seeds()
_SPARK_TIME = {"format": "yyyy-MM-dd'T'HH:mm:ss[XXX]", "zone": "Europe/Berlin"}
_SIMPLE = r"host=(?<host>\w+) path=(?<path>\S*) time=(?<time>\S+)"


def _csv_of(name: str, seeds: tuple[str, ...], **settings: Any) -> Fuzzed:
    return Fuzzed(f"csv-{name}", settings, _encoded(seeds))


def _log_of(name: str, seeds: tuple[str, ...], **settings: Any) -> Fuzzed:
    return Fuzzed(f"log-{name}", {"format": "log", "columns": ACCESS} | settings, _encoded(seeds))


def _bodies(seeds: tuple[str, ...]) -> tuple[str, ...]:
    """The files without their first line."""
    return tuple(seed[len(seed.splitlines(keepends=True)[0]) :] for seed in seeds)


def _unmarked(seeds: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(seed.removeprefix("\ufeff") for seed in seeds)


_BY_NUMBER = {"user_id": "_c0", "item_id": "_c1", "event_time": "_c2"}
_OF_JSON = {"format": "json"}

FORMATS: tuple[Fuzzed, ...] = (
    Fuzzed("json-lines", _OF_JSON, _encoded(_LINES)),
    Fuzzed("json-arrays", _OF_JSON, _encoded(_ARRAYS)),
    Fuzzed("json-any", {"format": "json", "columns": ALL_COLUMNS}, _encoded(_JSON)),
    Fuzzed(
        "json-nested",
        {"format": "json", "columns": NESTED, "optional": ["user_id", "item_id", "event_time"]},
        _encoded(_JSON),
    ),
    Fuzzed("json-explode", {"format": "json", "explode": ","}, _encoded(_JSON)),
    Fuzzed("json-gives-up", _OF_JSON, _encoded(_JSON), give_up=64),
    Fuzzed("json-gz", _OF_JSON, _encoded(_LINES), ".gz", _gzip),
    Fuzzed("json-utf16", _OF_JSON | {"encoding": "UTF-16"}, _encoded(_JSON, "utf-16")),
    Fuzzed("json-gb18030", _OF_JSON | {"encoding": "GB18030"}, _encoded(_JSON, "gb18030")),
    _csv_of("plain", (_csv(quoted=False), _csv(quoted=False, end="\r\n")), quote=""),
    _csv_of("quoted", _csv_seeds(), quote_escape="doubled"),
    _csv_of("auto", (*_csv_seeds(), *_csv_seeds(escape="backslash"))),
    _csv_of("backslash", _csv_seeds(";", "backslash"), delimiter=";", quote_escape="backslash"),
    _csv_of(
        "multiline",
        (*_csv_seeds(many=" m"), *_csv_seeds(escape="backslash", many=" m")),
        multiline=True,
        time=_SPARK_TIME,
    ),
    _csv_of(
        "books",
        _csv_seeds(";", "backslash", many=" m"),
        delimiter=";",
        multiline=True,
        quote_escape="backslash",
    ),
    Fuzzed("csv-gives-up", {"multiline": True}, _encoded(_csv_seeds(many=" m")), give_up=64),
    _csv_of("headless", _bodies(_csv_seeds()), header=False, columns=_BY_NUMBER),
    _csv_of("colons", _csv_seeds("::"), delimiter="::"),
    _csv_of("tabs", _csv_seeds("\t"), delimiter="\t", explode="|"),
    _csv_of("friends", _csv_seeds(), kind="social_edges", columns=FRIENDS, action=None),
    Fuzzed("csv-zst", {}, _encoded(_csv_seeds()), ".zst", _zstd),
    Fuzzed("csv-bz2", {}, _encoded(_csv_seeds()), ".bz2", bz2.compress),
    Fuzzed("csv-latin1", {"encoding": "ISO-8859-1"}, _encoded(_unmarked(_csv_seeds()), "latin-1")),
    Fuzzed("csv-utf16le", {"encoding": "UTF-16LE"}, _encoded(_csv_seeds(), "utf-16-le")),
    _log_of("common", _ACCESS[:3], pattern="common", time=CLOCK),
    _log_of("combined", _ACCESS[3:6], columns=AGENTS, time=CLOCK),
    _log_of("custom", _ACCESS[6:], pattern=_SIMPLE, time={"format": "epoch_s"}),
    Fuzzed(
        "json-items",
        {
            "format": "json",
            "kind": "items",
            "columns": ITEMS,
            "action": None,
            "optional": ["brand"],
        },
        _encoded(_JSON),
    ),
    Fuzzed("parquet", {"format": "parquet"}, _parquet_seeds()),
)
