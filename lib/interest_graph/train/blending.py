"""Weights of a blend of score sources, learnt on held-out pairs. No Spark in here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse

from interest_graph.train.ranking import Codes, Floats, blocks_of, ndcg, top_items

Score = Callable[[Codes], Floats]
Weights = npt.NDArray[np.float64]

_STEPS = (-0.4, -0.2, -0.1, -0.05, 0.05, 0.1, 0.2, 0.4, 0.8)
_SWEEPS = 4
_LEAST_GAIN = 2e-4  # of NDCG; smaller gains are noise of the sample of users
_POOL_FACTOR = 5  # candidates of a source, in list lengths


@dataclass(frozen=True)
class Pool:
    """Each user's candidates: the best unseen items of every source.

    scores: float32 [n_sources, n_users, width], -inf where a place is empty;
    relevant: bool [n_users, width]; n_relevant: held-out pairs of each user, known items or not.
    """

    scores: Floats
    relevant: npt.NDArray[np.bool_]
    n_relevant: Codes

    def ndcg(self, weights: Sequence[float] | Weights, k: int) -> float:
        """Mean NDCG@k of the users when the weighted sum of the sources ranks the candidates."""
        total = np.zeros(self.relevant.shape, dtype=np.float32)
        for weight, scores in zip(weights, self.scores, strict=True):
            if weight > 0:
                total += np.float32(weight) * scores
        hits = np.take_along_axis(self.relevant, top_items(total, k), axis=1)
        return float(ndcg(hits, self.n_relevant).mean())

    def deviations(self) -> Weights:
        """Mean standard deviation of each source's scores among a user's candidates."""
        filled = np.isfinite(self.scores)
        spread = np.std(self.scores, axis=2, where=filled, dtype=np.float64).mean(axis=1)
        return np.asarray(np.maximum(spread, 1e-12), dtype=np.float64)


def pool_of(
    sources: Sequence[Score],
    seen: sparse.csr_matrix,
    held_out: sparse.csr_matrix,
    n_held_out: Codes,
    users: Codes,
    k: int,
) -> Pool:
    """The candidates of `users`, enough to rank lists of length k.

    sources: rows of users -> scores [n_users, n_items]; seen, held_out: [n_users, n_items].
    """
    parts = [_block_pool(sources, seen, held_out, block, k) for block in blocks_of(users)]
    return Pool(
        scores=np.concatenate([scores for scores, _ in parts], axis=1),
        relevant=np.concatenate([relevant for _, relevant in parts]),
        n_relevant=n_held_out[users],
    )


def learn_weights(pool: Pool, k: int) -> Weights:
    """Weights >= 0 of the sources by coordinate search on NDCG@k, from the best single source.

    The search goes in units of each source's deviation; the weights returned include that scaling.
    """
    n_sources = len(pool.scores)
    scales = 1.0 / pool.deviations()
    alone = [pool.ndcg(one * scales, k) for one in np.eye(n_sources)]
    weights, best = np.eye(n_sources)[int(np.argmax(alone))], max(alone)
    for _ in range(_SWEEPS):
        before = best
        for source in range(n_sources):
            weights, best = _best_step(pool, weights, scales, source, best, k)
        if best == before:
            break
    return np.asarray(weights * scales, dtype=np.float64)


def _best_step(
    pool: Pool, weights: Weights, scales: Weights, source: int, best: float, k: int
) -> tuple[Weights, float]:
    """The weights with that of one source changed if this gains enough, and their NDCG."""
    steps = [weights[source] + step for step in _STEPS if weights[source] + step > -1e-9]
    for value in steps:
        tried = weights.copy()
        tried[source] = max(value, 0.0)
        if not tried.any():
            continue
        metric = pool.ndcg(tried * scales, k)
        if metric > best + _LEAST_GAIN:
            weights, best = tried, metric
    return weights, best


def _block_pool(
    sources: Sequence[Score],
    seen: sparse.csr_matrix,
    held_out: sparse.csr_matrix,
    block: Codes,
    k: int,
) -> tuple[Floats, npt.NDArray[np.bool_]]:
    known = seen[block].nonzero()
    tables = []
    for score in sources:
        table = np.asarray(score(block), dtype=np.float32)
        table[known] = -np.inf
        tables.append(table)
    found = np.hstack([top_items(table, _POOL_FACTOR * k) for table in tables])
    found.sort(axis=1)
    repeated = np.zeros(found.shape, dtype=bool)
    repeated[:, 1:] = found[:, 1:] == found[:, :-1]
    scores = np.stack([np.take_along_axis(table, found, axis=1) for table in tables])
    scores[:, repeated] = -np.inf
    relevant = np.take_along_axis(held_out[block].toarray() > 0, found, axis=1)
    return scores, relevant & ~repeated
