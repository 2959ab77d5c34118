"""How one CSV record is read, byte by byte: what is not regular, or decides about a whole file.

Two ways to write a quote within quotes: doubled (RFC 4180), or after a backslash. By "auto", a
record is read by doubled quotes; only if that fails, or gives another number of fields than the
file has columns, by backslashes. So C:\\dir\\ at the end of a field stays what it is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from interest_graph.config.sources import SourceConfig
from interest_graph.events.records import readable

MAX_OPEN_BYTES = 1 << 20  # a quoted field that is not closed by then is taken for a stray quote

_ENDS = (b"\n", b"\r", b"")
_LINE_END = rb"\r\n|\r|\n|\Z"


class Reading(NamedTuple):
    """A record found at some place: its fields (None if refused) and the offset where it ends.

    is_open: the window ended before a closing quote, so that more text might change the reading.
    """

    fields: list[str | None] | None
    end: int
    is_open: bool = False


@dataclass(frozen=True)
class Dialect:
    """Delimiter, quote (may be empty) and the escapes to be tried in order, all in UTF-8."""

    delimiter: bytes
    quote: bytes
    escapes: tuple[str, ...]
    is_multiline: bool

    def read(self, window: bytes, start: int, line_end: int, width: int | None = None) -> Reading:
        """The record that starts there; refused unless it has `width` fields, if that is given.

        line_end: where the first line ends, and so the record without multiline. A record whose
        quotes cannot be read ends there in any case: reading goes on at the next line.
        """
        limit = line_end
        if self.is_multiline:
            limit = min(len(window), max(start + MAX_OPEN_BYTES, line_end))
        refused, is_open = None, False
        for escape in self.escapes:
            reading = self._read(window, start, limit, escape)
            if reading is None:
                continue
            if reading.fields is None:
                is_open = True
            elif width in (None, len(reading.fields)):
                return reading._replace(is_open=is_open)
            else:
                refused = refused or reading
        end = refused.end if refused else line_end
        return Reading(None, end, is_open)

    def _read(self, window: bytes, start: int, limit: int, escape: str) -> Reading | None:
        cell = _cell(self.delimiter, self.quote, escape)
        fields: list[str | None] = []
        at = start
        while (match := cell.match(window, at, limit)) is not None:
            quoted, plain, stop = match.groups()
            if quoted is not None:
                fields.append(readable(self._unescaped(quoted, escape)))
            else:
                fields.append(readable(plain) if plain else None)
            at = match.end()
            if stop == self.delimiter:
                continue
            is_cut = self.is_multiline and not stop and window[limit : limit + 1] not in _ENDS
            return None if is_cut else Reading(fields, match.start(3))
        is_open = self.is_multiline and limit == len(window)
        if is_open and _open_cell(self.quote, escape).fullmatch(window, at, limit):
            return Reading(None, limit, is_open=True)
        return None

    def _unescaped(self, text: bytes, escape: str) -> bytes:
        if escape == "backslash":
            sign = re.escape(self.quote)
            return re.sub(rb"\\(" + sign + rb"|\\)|" + sign + sign, self._literal, text)
        return text.replace(self.quote * 2, self.quote)

    def _literal(self, match: re.Match[bytes]) -> bytes:
        return match[1] or self.quote


def dialect_of(source: SourceConfig) -> Dialect:
    """The dialect that a source's settings describe."""
    escapes = ("doubled", "backslash") if source.quote_escape == "auto" else (source.quote_escape,)
    return Dialect(
        source.delimiter.encode(),
        source.quote.encode(),
        escapes if source.quote else ("doubled",),
        source.multiline and bool(source.quote),
    )


@lru_cache
def _cell(delimiter: bytes, quote: bytes, escape: str) -> re.Pattern[bytes]:
    """A field and what ends it: groups of the quoted text, the plain text, the end."""
    stop = re.escape(delimiter)
    plain = rb"((?:(?!" + stop + rb")[^\r\n])*+)"
    if len(delimiter) == 1:
        plain = rb"([^\r\n" + stop + rb"]*+)"
    if not quote:
        return re.compile(rb"(?:(?!)()|" + plain + rb")(" + stop + rb"|" + _LINE_END + rb")")
    sign = re.escape(quote)
    body = _body(quote, escape)
    return re.compile(
        rb"(?:%b(%b)%b|(?!%b)%b)(%b|%b)" % (sign, body, sign, sign, plain, stop, _LINE_END),
        re.DOTALL,
    )


@lru_cache
def _open_cell(quote: bytes, escape: str) -> re.Pattern[bytes]:
    """A quoted field without its closing quote."""
    return re.compile(rb"%b%b\\?" % (re.escape(quote), _body(quote, escape)), re.DOTALL)


@lru_cache
def _body(quote: bytes, escape: str) -> bytes:
    # Possessive: fields of many megabytes need no memory for stepping back.
    sign = re.escape(quote)
    byte = rb"[^\\]" if escape == "backslash" else rb"."
    text = rb"(?:(?!%b)%b)*+" % (sign, byte)
    if len(quote) == 1:  # the same, faster
        text = rb"[^%b\\]*+" % sign if escape == "backslash" else rb"[^%b]*+" % sign
    pair = rb"%b%b|\\." % (sign, sign) if escape == "backslash" else sign + sign
    return rb"%b(?:(?:%b)%b)*+" % (text, pair, text)
