"""Random draws for training: pairs of users and items, and negatives (items that a user lacks)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

_TRIES = 20  # draws of a negative before the user's lacking items are listed instead

# Between uniform (0) and proportional to popularity (1): Mikolov et al., NeurIPS 2013.
POPULARITY_EXPONENT = 0.75


@dataclass(frozen=True)
class Sampler:
    """Draws positives and negatives of one shard.

    indptr int64[users + 1], items int32[edges]: the CSR matrix of the shard's edges, items in
    ascending order within a user; n_items: of the whole graph; chances: float64[n_items],
    probability of drawing each item as a negative, None for a uniform draw.
    """

    indptr: np.ndarray
    items: np.ndarray
    n_items: int
    chances: np.ndarray | None = None

    def edges(self, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """All edges in random order, as users int64[n] and positives int64[n].

        Without the edges of users who have every item: they have no negatives.
        """
        counts = np.diff(self.indptr)
        users = np.repeat(np.arange(len(counts)), counts)
        order = rng.permutation(np.flatnonzero(counts[users] < self.n_items))
        return users[order], self.items[order].astype(np.int64)

    def negatives(self, users: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """One item for each entry of `users` that this user lacks; int64[len(users)]."""
        owners = np.repeat(np.arange(len(self.indptr) - 1), np.diff(self.indptr))
        seen = owners * self.n_items + self.items  # ascending, as items are within each user
        drawn = self._draw(len(users), rng)
        open_ = np.arange(len(users))
        for _ in range(_TRIES):
            open_ = open_[_contains(seen, users[open_] * self.n_items + drawn[open_])]
            if not len(open_):
                return drawn
            drawn[open_] = self._draw(len(open_), rng)
        # The few left belong to users who have nearly every item: list what those lack.
        for position in open_[_contains(seen, users[open_] * self.n_items + drawn[open_])]:
            start, end = self.indptr[users[position] : users[position] + 2]
            lacking = np.setdiff1d(np.arange(self.n_items), self.items[start:end])
            drawn[position] = rng.choice(lacking)
        return drawn

    def pool(self, size: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Draw `size` items with repeats: the distinct ones, and log(expected draws of each)."""
        drawn = np.unique(self._draw(size, rng))
        chances = np.full(self.n_items, 1 / self.n_items) if self.chances is None else self.chances
        return drawn, np.log(size * chances[drawn])

    def seen(self, users: np.ndarray, pool: np.ndarray) -> np.ndarray:
        """Which items of the pool each user has: bool[users, pool]; pool: distinct items."""
        place = np.full(self.n_items, -1)
        place[pool] = np.arange(len(pool))
        starts, counts = self.indptr[users], np.diff(self.indptr)[users]
        rows = np.repeat(np.arange(len(users)), counts)
        within = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
        columns = place[self.items[np.repeat(starts, counts) + within]]
        mask = np.zeros((len(users), len(pool)), dtype=bool)
        mask[rows[columns >= 0], columns[columns >= 0]] = True
        return mask

    def _draw(self, size: int, rng: np.random.Generator) -> np.ndarray:
        if self.chances is None:
            return rng.integers(self.n_items, size=size)
        # Inverse transform sampling: Generator.choice would check the probabilities at each call.
        found = np.searchsorted(np.cumsum(self.chances), rng.random(size))
        return np.minimum(found, self.n_items - 1)


def chances_of(kind: str, degrees: np.ndarray) -> np.ndarray | None:
    """Probability of drawing each item, float64[items]; None for the uniform distribution.

    kind: uniform; popularity: degree ** 0.75; in_batch: in proportion to the degree, the
    distribution of negatives that are other users' positives of the same batch.
    """
    if kind == "uniform":
        return None
    weights = degrees ** (POPULARITY_EXPONENT if kind == "popularity" else 1.0)
    chances: np.ndarray = weights / weights.sum()
    return chances


def slices(n: int, size: int) -> Iterator[slice]:
    """Consecutive slices of range(n), each of at most `size`."""
    for start in range(0, n, size):
        yield slice(start, start + size)


def _contains(ascending: np.ndarray, keys: np.ndarray) -> np.ndarray:
    if not len(ascending):
        return np.zeros(len(keys), dtype=bool)
    found = np.minimum(np.searchsorted(ascending, keys), len(ascending) - 1)
    result: np.ndarray = ascending[found] == keys
    return result
