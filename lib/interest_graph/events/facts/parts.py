"""Events divided by user, other rows by key."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from interest_graph.events.facts.codes import encoded

MOST_PARTS = 2**16
_PRIME = 0x100000001B3  # odd, so that no power of it is 0
_USERS_AT_ONCE = 50_000


def split_by_user(events: pa.Table, n_parts: int) -> list[pa.Table]:
    """Divide events into n_parts (at most MOST_PARTS) tables, all events of a user in one of them.

    The part depends on the user's id and n_parts alone: workers, runs and versions agree. The order
    of a user's events is kept. Parts may be empty.
    """
    codes, users = encoded(events["user_id"])
    return _divided(
        events, (hash_texts(users) % _checked(n_parts)).astype(np.uint16)[codes], n_parts
    )


def split_by_key(rows: pa.Table, key: Sequence[str], n_parts: int) -> list[pa.Table]:
    """Divide rows as `split_by_user` does: all rows of a key, text columns, in one part."""
    if n_parts == 1:
        return [rows]
    hashes = np.zeros(rows.num_rows, np.uint64)
    for name in key:
        codes, texts = encoded(rows[name])
        hashes = _mixed(hashes * np.uint64(_PRIME) + hash_texts(texts)[codes])
    return _divided(rows, (hashes % _checked(n_parts)).astype(np.uint16), n_parts)


def _checked(n_parts: int) -> np.uint64:
    if not 1 <= n_parts <= MOST_PARTS:
        raise ValueError(f"n_parts is {n_parts}, not from 1 to {MOST_PARTS}")
    return np.uint64(n_parts)


def _divided(rows: pa.Table, part: npt.NDArray[np.uint16], n_parts: int) -> list[pa.Table]:
    """The rows of each part, in their order."""
    order = np.argsort(part, kind="stable")  # a radix sort, of 16 bits
    edges = np.searchsorted(part, np.arange(n_parts + 1), sorter=order)
    sorted_rows = rows.take(pa.array(order))
    return [
        sorted_rows.slice(start, end - start)
        for start, end in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True)
    ]


def hash_texts(texts: pa.StringArray) -> npt.NDArray[np.uint64]:
    """uint64[n]: a hash of each text's bytes, the same on every machine: no library decides it.

    Sum of (byte + 1) * _PRIME**place modulo 2**64, places from 1, then the finaliser of SplitMix64
    (Steele, Lea, Flood 2014), so that all bits depend on all bytes. No protection against attacks.
    """
    pieces = [
        _hash_piece(texts.slice(start, _USERS_AT_ONCE))
        for start in range(0, len(texts), _USERS_AT_ONCE)
    ]
    return np.concatenate([np.empty(0, np.uint64), *pieces])


def _hash_piece(texts: pa.StringArray) -> npt.NDArray[np.uint64]:
    data, offsets = _bytes_and_offsets(texts)
    sizes = np.diff(offsets)
    places = np.arange(len(data)) - np.repeat(offsets[:-1], sizes)
    powers = np.cumprod(np.full(int(sizes.max(initial=0)) + 1, _PRIME, np.uint64))
    terms = (data.astype(np.uint64) + np.uint64(1)) * powers[places]
    # Differences of running sums, because reduceat gives no 0 for an empty text.
    sums = np.append(np.uint64(0), np.cumsum(terms, dtype=np.uint64))
    return _mixed(sums[offsets[1:]] - sums[offsets[:-1]])


def _bytes_and_offsets(
    texts: pa.StringArray,
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    _, offsets, data = texts.buffers()
    ends = np.frombuffer(offsets, np.int32)[texts.offset : texts.offset + len(texts) + 1]
    whole = np.frombuffer(data, np.uint8) if data is not None else np.empty(0, np.uint8)
    return whole[ends[0] : ends[-1]], (ends - ends[0]).astype(np.int64)


def _mixed(value: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))
