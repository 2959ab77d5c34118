"""Decompression of files by their names: .gz, .zst and .bz2, in pieces.

All three may consist of several members (frames), one after the other.
"""

from __future__ import annotations

import bz2
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import zstandard

# A small piece bounds what one step can unpack: gzip packs at most 1,000 bytes into one.
_PIECE = 1 << 14


class DamagedFile(Exception):
    """The bytes of a file are cut off, or are not what its name or its encoding says."""


def is_compressed(path: str) -> bool:
    """Whether the name says that the file is compressed."""
    return _decompressor(path) is not None


def decompressed(path: str, chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The file's bytes, decompressed as its name tells, in pieces. Raises DamagedFile."""
    make = _decompressor(path)
    if make is None:
        yield from chunks
        return
    try:
        yield from _members(chunks, make)
    except (zlib.error, zstandard.ZstdError, EOFError) as error:
        raise DamagedFile(str(error)) from None


def _decompressor(path: str) -> Callable[[], Any] | None:
    if path.endswith(".gz"):
        return lambda: zlib.decompressobj(zlib.MAX_WBITS | 16)
    if path.endswith(".zst"):
        # Files packed with --long need a window of up to 2 GB.
        unpack = zstandard.ZstdDecompressor(max_window_size=1 << 31)
        return unpack.decompressobj
    return bz2.BZ2Decompressor if path.endswith(".bz2") else None


def _members(chunks: Iterable[bytes], make: Callable[[], Any]) -> Iterator[bytes]:
    member: Any = None
    for chunk in chunks:
        for at in range(0, len(chunk), _PIECE):
            packed = chunk[at : at + _PIECE]
            while packed:
                if member is None:
                    packed = packed.lstrip(b"\0")  # padding between and behind members
                    if not packed:
                        break
                    member = make()
                unpacked = _unpacked(member, packed)
                if unpacked:
                    yield unpacked
                packed = b""
                if member.eof:
                    packed, member = member.unused_data, None
    if member is not None:
        raise DamagedFile("it ends too early")


def _unpacked(member: Any, packed: bytes) -> bytes:
    try:
        return bytes(member.decompress(packed))
    except OSError as error:  # bz2's only; reading the file may fail with one as well
        raise DamagedFile(str(error)) from None
