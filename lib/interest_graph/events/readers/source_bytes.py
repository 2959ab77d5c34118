"""Bytes of input files: opened, decompressed, turned into UTF-8 and cut into windows of records."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO

from interest_graph.config import SourceConfig
from interest_graph.errors import ConfigError, DataError
from interest_graph.events.readers.compression import DamagedFile, decompressed, is_compressed
from interest_graph.events.readers.encodings import is_utf8, to_utf8
from interest_graph.events.readers.lines import BOM, WHITE
from interest_graph.events.records import Layout
from interest_graph.worker_files import local_name

OpenFile = Callable[[str], BinaryIO]
FindEnd = Callable[[bytes, SourceConfig, Layout], int]

HEAD_BYTES = 1 << 18  # enough for any header and for hundreds of records
LONGEST_HEADER = 4 << 20
WINDOW_BYTES = 16 << 20
LARGEST_RECORD = 512 << 20  # bytes; a window grows to this before its file is given up
_CHUNK = 1 << 20


@dataclass(frozen=True)
class Split:
    """What one task reads: a file, or of a file the lines that start in a range of its bytes.

    path: a plain path or a URI (file:/x/a%20b); length: None for the whole file, else start +
    length is at most the file's size. Only plain files in UTF-8 are read by ranges.
    """

    source: str
    path: str
    start: int = 0
    length: int | None = None

    @property
    def name(self) -> str:
        """The path without the scheme of local files, for messages."""
        return self.path.removeprefix("file:")


def open_local(path: str) -> BinaryIO:
    """Open a local file for reading, given by a plain path or a file: URI."""
    return open(local_name(path), "rb")


def is_splittable(path: str, source: SourceConfig) -> bool:
    """Whether byte ranges of the file can be read: it is neither compressed nor transcoded."""
    return not is_compressed(path) and is_utf8(source.encoding)


def windows(
    split: Split,
    source: SourceConfig,
    layout: Layout,
    open_file: OpenFile,
    find_end: FindEnd,
    size: int = WINDOW_BYTES,
) -> Iterator[tuple[int, bytes]]:
    """Cut the split's text into (offset in the file's text, bytes) of about `size` bytes.

    Every window starts where a record starts and ends where one ends, as find_end tells; the last
    one may lack its line end. Memory is that of one window. Raises DataError naming the file if it
    cannot be read, is damaged, has changed, or holds a record of more than 512 MB; ConfigError for
    an unknown encoding.
    """
    with _naming(split), open_file(split.path) as file:
        base, chunks = _text(split, source, file)
        yield from _cut(base, chunks, lambda window: find_end(window, source, layout), size)


def head(path: str, source: SourceConfig, open_file: OpenFile = open_local) -> bytes:
    """The first 256 KB of the file's text in UTF-8, up to the last line end if the file goes on.

    Blank lines at the start count only if there is nothing else; of CSV, the first line is always
    whole. Errors: as windows; DataError also for CSV without a line end in its first 4 MB.
    """
    split = Split(source.name, path)
    with _naming(split), open_file(path) as file:
        _, chunks = _text(split, source, file)
        start = b""
        for chunk in chunks:
            start += chunk
            if len(start) > HEAD_BYTES:
                start = _without_blanks(start, source)
            if len(start) > HEAD_BYTES and (end := _end_of_head(start, source)):
                return start[:end]
            if len(start) > LONGEST_HEADER:
                raise _problem(split, f"has no line end in its first {LONGEST_HEADER >> 20} MB")
    return start


def _end_of_head(start: bytes, source: SourceConfig) -> int:
    """Where the last line of the first 256 KB ends, of CSV a longer first line; 0: read on."""
    signs = (b"\n", b"\r") if source.format == "csv" else (b"\n",)
    end = max(start.rfind(sign, 0, HEAD_BYTES) for sign in signs) + 1
    if end or source.format != "csv":
        return end or HEAD_BYTES
    ends = [place for sign in signs if (place := start.find(sign, HEAD_BYTES)) >= 0]
    return min(ends) + 1 if ends else 0


def _without_blanks(start: bytes, source: SourceConfig) -> bytes:
    """The text from its first line on that is not blank; of very many blanks in it, none."""
    blanks = WHITE.translate(None, source.delimiter.encode()) if source.format == "csv" else WHITE
    text = start.removeprefix(BOM)
    n_blank = len(text) - len(text.lstrip(blanks))
    line = max(text.rfind(b"\n", 0, n_blank), text.rfind(b"\r", 0, n_blank)) + 1
    return text[line if n_blank - line < HEAD_BYTES // 2 else n_blank :]


def content(split: Split, open_file: OpenFile = open_local) -> bytes:
    """The whole file, decompressed; its encoding unchanged. Errors: as windows."""
    with _naming(split), open_file(split.path) as file:
        return b"".join(decompressed(split.path, _chunks(file)))


def _text(split: Split, source: SourceConfig, file: BinaryIO) -> tuple[int, Iterator[bytes]]:
    """Where the split's text begins in the file's, and the text in pieces."""
    if split.length is not None and is_splittable(split.path, source):
        return _range(file, split.start, split.start + split.length)
    plain = decompressed(split.path, _chunks(file))
    return 0, plain if is_utf8(source.encoding) else to_utf8(plain, source)


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    while chunk := file.read(_CHUNK):
        yield bytes(chunk)


def _range(file: BinaryIO, start: int, end: int) -> tuple[int, Iterator[bytes]]:
    """The lines that start at `start` or later and before `end`, with the first one's offset."""
    if start == 0:
        return 0, _up_to(file, 0, end, b"")
    file.seek(start - 1)
    at, rest = start - 1, b""
    for chunk in _chunks(file):  # the line that holds the byte before is another split's
        line_end = chunk.find(b"\n")
        if line_end >= 0:
            at, rest = at + line_end + 1, chunk[line_end + 1 :]
            break
        at += len(chunk)
    return at, _up_to(file, at, end, rest)


def _up_to(file: BinaryIO, at: int, end: int, rest: bytes) -> Iterator[bytes]:
    """Bytes from offset `at` to the end of the line that holds the byte before `end`."""
    if at >= end:
        return
    chunk = rest or file.read(_CHUNK)
    while chunk:
        if at + len(chunk) >= end:
            line_end = chunk.find(b"\n", max(end - at - 1, 0))
            if line_end >= 0:
                yield bytes(chunk[: line_end + 1])
                return
        yield bytes(chunk)
        at += len(chunk)
        chunk = file.read(_CHUNK)
    if at < end:
        raise _Changed(f"has become shorter: {at} bytes of {end}")


def _cut(
    base: int, chunks: Iterator[bytes], find_end: Callable[[bytes], int], size: int
) -> Iterator[tuple[int, bytes]]:
    waiting, wanted = bytearray(), size
    for chunk in chunks:
        waiting += chunk
        if len(waiting) < wanted:
            continue
        window = bytes(waiting)
        end = find_end(window)
        if end > 0:
            yield base, window[:end]
            base += end
            del waiting[:end]
            wanted = max(size, 2 * len(waiting))
        elif len(window) >= LARGEST_RECORD:
            raise DamagedFile(f"a record at byte {base} is longer than {LARGEST_RECORD >> 20} MB")
        else:
            wanted = min(2 * len(window), LARGEST_RECORD)
    if waiting:
        yield base, bytes(waiting)


class _Changed(Exception):
    """The file is not what it was when it was listed."""


@contextmanager
def _naming(split: Split) -> Iterator[None]:
    """Turn failures of reading into a DataError that names the source and the file."""
    try:
        yield
    except (DataError, ConfigError):
        raise
    except FileNotFoundError:
        raise _problem(split, "is no longer there") from None
    except _Changed as error:
        raise _problem(split, str(error)) from None
    except DamagedFile as error:
        raise _problem(split, f"is damaged ({error})") from None
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error).splitlines()[0]
        raise _problem(split, f"cannot be read ({reason})") from None


def _problem(split: Split, problem: str) -> DataError:
    return DataError(f"source {split.source}: {split.name} {problem}")
