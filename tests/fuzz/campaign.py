"""Inputs by number: made, checked, and made small where a check fails."""

from __future__ import annotations

import random
import zlib
from dataclasses import dataclass

from tests.fuzz.formats import Fuzzed
from tests.fuzz.mutations import mutated
from tests.fuzz.properties import check


@dataclass(frozen=True)
class Failure:
    """An input that fails a check. content: the file's bytes; problem: the error, on one line."""

    name: str
    number: int
    content: bytes
    problem: str

    def __str__(self) -> str:
        return f"{self.name} {self.number}: {self.problem[:1500]}\n  input: {self.content!r}"


def input_of(fuzzed: Fuzzed, number: int) -> bytes:
    """The bytes of the file with this number, always the same. Numbers count the seeds first.

    Of files that are packed, most are damaged before that and some after.
    """
    if number < len(fuzzed.seeds):
        return fuzzed.pack(fuzzed.seeds[number])
    rng = _random(fuzzed, number)
    data = mutated(rng.choice(fuzzed.seeds), rng, fuzzed.seeds)
    packed = fuzzed.pack(data)
    is_broken = bool(fuzzed.suffix) and rng.random() < 0.3
    return mutated(packed, rng, [packed]) if is_broken else packed


def outcome_of(fuzzed: Fuzzed, number: int, content: bytes) -> str:
    """What became of the input: "read", "blank" or "refused". Raises whatever a check raises."""
    return check(fuzzed, content, _random(fuzzed, number, "reading"))


def failure_of(fuzzed: Fuzzed, number: int, content: bytes) -> Failure | None:
    """The failure of this input, None if all checks pass."""
    try:
        outcome_of(fuzzed, number, content)
    except Exception as error:  # whatever it is, it is a fault
        told = " ".join(f"{type(error).__name__}: {error}".split())
        return Failure(fuzzed.name, number, content, told)
    return None


def minimised(fuzzed: Fuzzed, failure: Failure, tries: int = 400) -> Failure:
    """A smaller input that fails in the same way, by leaving out ever smaller pieces."""
    smallest, size = failure, max(len(failure.content) // 2, 1)
    while size and tries > 0:
        at = 0
        while at < len(smallest.content) and tries > 0:
            content = smallest.content[:at] + smallest.content[at + size :]
            tries -= 1
            found = failure_of(fuzzed, failure.number, content)
            if found is not None and _kind(found) == _kind(failure):
                smallest = found
            else:
                at += size
        size //= 2
    return smallest


def _kind(failure: Failure) -> str:
    return failure.problem[:25]


def _random(fuzzed: Fuzzed, number: int, purpose: str = "bytes") -> random.Random:
    return random.Random(zlib.crc32(f"{fuzzed.name} {number} {purpose}".encode()))
