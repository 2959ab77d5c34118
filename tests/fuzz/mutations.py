"""Damage to bytes, by a seeded generator: what copying, cutting, editing and bad disks do."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

Mutation = Callable[[bytearray, random.Random, Sequence[bytes]], None]

TOKENS = (
    *(bytes([byte]) for byte in b"\"\\{}[],;:|-=\t \n\r\0\x0b\x0c\x1c\x1f/'"),
    b"\r\n",
    b"\n\n",
    b'""',
    b'\\"',
    b'","',
    b'"\n',
    b"::",
    b"\xef\xbb\xbf",
    b"\xef\xbb\xbf\xef\xbb\xbf",
    b"\xff",
    b"\xc3",
    b"\xed\xa0\x80",  # a lone surrogate
    b"\xf4\x90\x80\x80",  # beyond U+10FFFF
    "\u2028\u0085\u00a0".encode(),
    "\U0001f600é文".encode(),
    b"null",
    b"NaN",
    b"-Infinity",
    b"1e400",
    b"-0.0",
    b"12345678901234567890123",
    b"1.5E-7",
    b"\\u0000",
    b"\\ud800",
    b"{}",
    b"[]",
    b'{"u":1}',
    b'{"u":{"x":[1,{"y":null}]}}',
    b"u,i,t\n",
    b"#",
)


def mutated(data: bytes, rng: random.Random, others: Sequence[bytes]) -> bytes:
    """The data after none to eight mutations; others: what pieces are spliced in from."""
    changed = bytearray(data)
    for _ in range(min(rng.randrange(9), rng.randrange(9))):
        rng.choice(_MUTATIONS)(changed, rng, others)
    return bytes(changed)


def _place(data: bytearray, rng: random.Random) -> int:
    return rng.randrange(len(data) + 1)


def _flip(data: bytearray, rng: random.Random, _: Sequence[bytes]) -> None:
    if data:
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def _overwrite(data: bytearray, rng: random.Random, _: Sequence[bytes]) -> None:
    at, token = _place(data, rng), rng.choice(TOKENS)
    data[at : at + len(token)] = token


def _insert(data: bytearray, rng: random.Random, _: Sequence[bytes]) -> None:
    at = _place(data, rng)
    data[at:at] = rng.choice(TOKENS)


def _delete(data: bytearray, rng: random.Random, _: Sequence[bytes]) -> None:
    at = _place(data, rng)
    del data[at : at + rng.choice((1, 1, 2, 5, 20, 100))]


def _duplicate(data: bytearray, rng: random.Random, _: Sequence[bytes]) -> None:
    at, size = _place(data, rng), rng.choice((1, 3, 10, 60, 300))
    data[at:at] = data[at : at + size] * rng.choice((1, 1, 2, 5))


def _splice(data: bytearray, rng: random.Random, others: Sequence[bytes]) -> None:
    other = rng.choice(others)
    start = rng.randrange(len(other) + 1)
    at = _place(data, rng)
    data[at : at + rng.choice((0, 0, 10, 100))] = other[start : start + rng.choice((5, 40, 1000))]


def _truncate(data: bytearray, rng: random.Random, _: Sequence[bytes]) -> None:
    if rng.random() < 0.5:
        del data[_place(data, rng) :]
    else:
        del data[: _place(data, rng)]


def _swap_lines(data: bytearray, rng: random.Random, _: Sequence[bytes]) -> None:
    lines = bytes(data).splitlines(keepends=True)
    if len(lines) > 1:
        one, other = rng.sample(range(len(lines)), 2)
        lines[one], lines[other] = lines[other], lines[one]
        data[:] = b"".join(lines)


def _long_run(data: bytearray, rng: random.Random, _: Sequence[bytes]) -> None:
    at = _place(data, rng)
    data[at:at] = rng.choice(
        (b" ", b"\n", b'"', b"\\", b"[", b"{", b"a", b",", b"\0")
    ) * rng.choice((50, 600, 3000))


_MUTATIONS: tuple[Mutation, ...] = (
    _flip,
    _overwrite,
    _insert,
    _insert,
    _delete,
    _duplicate,
    _splice,
    _truncate,
    _swap_lines,
    _long_run,
)
