"""Triples of user, item and an item that the user has not met."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

_TRIES = 20


def draw_triples(
    indptr: np.ndarray, items: np.ndarray, n_items: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Every edge once, in random order, each with a uniform negative: users, positives, negatives.

    indptr int64[users + 1], items int32[edges], sorted within a user. A negative is never one of
    the user's items; edges of users who have every item are left out.
    """
    users = np.repeat(np.arange(len(indptr) - 1), np.diff(indptr))
    has_negative = np.diff(indptr)[users] < n_items
    order = rng.permutation(np.flatnonzero(has_negative))
    users, positives = users[order], items[order].astype(np.int64)
    return users, positives, _negatives(users, indptr, items, n_items, rng)


def batches(
    triples: tuple[np.ndarray, np.ndarray, np.ndarray], size: int
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Consecutive batches of at most `size` triples."""
    users, positives, negatives = triples
    for start in range(0, len(users), size):
        part = slice(start, start + size)
        yield users[part], positives[part], negatives[part]


def _negatives(
    users: np.ndarray, indptr: np.ndarray, items: np.ndarray, n_items: int, rng: np.random.Generator
) -> np.ndarray:
    owners = np.repeat(np.arange(len(indptr) - 1), np.diff(indptr))
    seen = owners * n_items + items  # ascending, as items are within each user
    drawn = rng.integers(n_items, size=len(users))
    open_ = np.arange(len(users))
    for _ in range(_TRIES):
        open_ = open_[_is_seen(users[open_] * n_items + drawn[open_], seen)]
        if not len(open_):
            return drawn
        drawn[open_] = rng.integers(n_items, size=len(open_))
    # Few are left, of users who have nearly everything: draw from what they lack.
    for position in open_[_is_seen(users[open_] * n_items + drawn[open_], seen)]:
        user = users[position]
        lacking = np.setdiff1d(np.arange(n_items), items[indptr[user] : indptr[user + 1]])
        drawn[position] = rng.choice(lacking)
    return drawn


def _is_seen(keys: np.ndarray, seen: np.ndarray) -> np.ndarray:
    found = np.minimum(np.searchsorted(seen, keys), len(seen) - 1)
    result: np.ndarray = seen[found] == keys
    return result
