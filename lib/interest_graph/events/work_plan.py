"""Deals files out to tasks: which task reads which part of which file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeVar

from interest_graph.events.readers.compression import is_compressed
from interest_graph.events.readers.source_bytes import Split
from interest_graph.events.records import Layout
from interest_graph.events.sources import InputFile

T = TypeVar("T")

_LEAST_BYTES = 8 << 20  # of a task: starting one costs as much as reading so many
_MOST_BYTES = 128 << 20
_PIECES_A_TASK = 4  # of which files are dealt out evenly
EXPANSION = 8  # of compressed logs and table files
_TASKS_A_SLOT = 3  # so that a slow task does not hold up the others' cores


@dataclass(frozen=True)
class Piece:
    """A part of a file and what is known of the file."""

    split: Split
    layout: Layout
    n_bytes: int


def bytes_of_task(n_bytes: int, n_slots: int) -> int:
    """How many bytes a task reads, of so many in all; all slots get as many tasks."""
    n = min(-(-n_bytes // _LEAST_BYTES), n_slots * _TASKS_A_SLOT)
    n = max(-(-n_bytes // _MOST_BYTES), n, 1)
    if n > n_slots:
        n = -(-n // n_slots) * n_slots
    return max(-(-n_bytes // n), 1)


def dealt_files(
    files: Sequence[T], n_bytes: Callable[[T], int], n_slots: int, expansion: int
) -> list[list[T]]:
    """Put packed files together to tasks; expansion: bytes that a byte of them unpacks to."""
    whole = expansion * sum(map(n_bytes, files))
    return dealt(files, n_bytes, bytes_of_task(whole, n_slots) // expansion)


def text_bytes(files: Iterable[InputFile]) -> int:
    """About how many bytes the files have once unpacked."""
    return sum(file.size_bytes * _expansion(file.path) for file in files)


def _expansion(path: str) -> int:
    return EXPANSION if is_compressed(path) or path.endswith(".parquet") else 1


def pieces_of(
    source: str, path: str, size: int, layout: Layout, *, is_divisible: bool, target: int
) -> list[Piece]:
    """The file in pieces that tasks of `target` bytes are made of.

    In one if it can only be read from its start, or is small.
    """
    of_piece = max(target // _PIECES_A_TASK, _LEAST_BYTES)
    n = round(size / of_piece)
    if layout.is_whole or not is_divisible or n <= 1:
        return [Piece(Split(source, path, 0, None), layout, size)]
    bounds = [size * place // n for place in range(n + 1)]
    return [
        Piece(Split(source, path, low, high - low), layout, high - low)
        for low, high in pairwise(bounds)
    ]


def dealt(things: Sequence[T], n_bytes: Callable[[T], int], target: int) -> list[list[T]]:
    """Put things together, in order, to tasks of about `target` bytes.

    A thing belongs to the task in whose bytes its middle lies.
    """
    tasks: dict[int, list[T]] = {}
    before = 0
    for thing in things:
        size = n_bytes(thing)
        tasks.setdefault((2 * before + size) // (2 * target), []).append(thing)
        before += size
    return list(tasks.values())
