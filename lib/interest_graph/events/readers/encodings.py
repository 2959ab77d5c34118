"""Text in other encodings to UTF-8, in pieces."""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Iterator
from itertools import chain

from interest_graph.config import SourceConfig
from interest_graph.errors import ConfigError
from interest_graph.events.readers.compression import DamagedFile

_GENERIC = {"utf-16": 2, "utf-32": 4}  # bytes of a unit; without a mark the order is to be guessed
_LOOKED_AT = 1 << 12  # bytes, to find their order
_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)


def is_utf8(encoding: str) -> bool:
    """Whether text in this encoding is UTF-8 as it is."""
    try:
        return codecs.lookup(encoding).name in ("utf-8", "ascii")
    except (LookupError, ValueError):
        return False


def to_utf8(chunks: Iterable[bytes], source: SourceConfig) -> Iterator[bytes]:
    r"""The text in UTF-8; bytes that cannot be decoded become \xNN.

    UTF-16 and UTF-32 without a byte order mark: the order is that in which most zero bytes of the
    first characters are the high ones. Raises ConfigError for an encoding that Python lacks,
    DamagedFile for text that its codec cannot read.
    """
    name = _known(source)
    chunks = iter(chunks)
    first = b""
    while len(first) < _LOOKED_AT and (chunk := next(chunks, b"")):  # pieces may be tiny
        first += chunk
    decoder = codecs.getincrementaldecoder(_with_order(name, first))("backslashreplace")
    try:
        for chunk in chain([first], chunks):
            yield _encoded(decoder.decode(chunk))
        yield _encoded(decoder.decode(b"", final=True))
    except UnicodeError as error:  # of codecs that know no replacement, such as idna
        raise DamagedFile(f"it is not in {source.encoding}: {error}") from None


def _known(source: SourceConfig) -> str:
    try:
        found = codecs.lookup(source.encoding)
    except (LookupError, ValueError):
        found = None
    if found is None or not found._is_text_encoding:  # rot13, hex, zip: not for text
        problem = f"{source.encoding!r} is no encoding of text that is known"
        raise ConfigError(f"sources.{source.name}.encoding", problem)
    return found.name


def _with_order(name: str, first: bytes) -> str:
    unit = _GENERIC.get(name)
    if unit is None or first.startswith(_MARKS):
        return name
    start = first[:_LOOKED_AT]
    is_big = start[0::unit].count(0) > start[unit - 1 :: unit].count(0)
    return f"{name}-{'be' if is_big else 'le'}"


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "backslashreplace")
