"""Weights of a sum of several models' scores, learnt on held-out pairs. No Spark here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse

from interest_graph.largest import largest_columns
from interest_graph.train.kernels.ranking import Codes, Floats, blocks_of, ndcg

Score = Callable[[Codes], Floats]
Weights = npt.NDArray[np.float64]

_BAGS = 8  # bootstrap samples of the users; the selection is repeated on each
_CHOICES = 15  # additions in a selection; a source may be added several times
_MIN_SHARE = 0.05  # a source with a smaller share of the sum gets weight 0 and is not fitted
_POOL_FACTOR = 5  # each source's best _POOL_FACTOR * k items are candidates


@dataclass(frozen=True)
class Pool:
    """Each user's candidates, the best unseen items of every source, with all sources' scores.

    scores: float32 [n_sources, n_users, width], -inf where a candidate repeats another or is seen;
    relevant: bool [n_users, width], true for held-out items; n_relevant: int64 [n_users], held-out
    pairs of each user, also of items that no source can score.
    """

    scores: Floats
    relevant: npt.NDArray[np.bool_]
    n_relevant: Codes

    def ndcg(self, weights: Sequence[float] | Weights, k: int) -> float:
        """Mean NDCG@k over the users, with candidates ranked by the weighted sum of the scores."""
        total = np.zeros(self.relevant.shape, dtype=np.float32)
        for weight, scores in zip(weights, self.scores, strict=True):
            if weight > 0:
                total += np.float32(weight) * scores
        hits = np.take_along_axis(self.relevant, largest_columns(total, k), axis=1)
        return float(ndcg(hits, self.n_relevant).mean())

    def of_users(self, rows: Codes) -> Pool:
        """The pool restricted to the users in these rows; rows may repeat."""
        return Pool(self.scores[:, rows], self.relevant[rows], self.n_relevant[rows])

    def deviations(self) -> Weights:
        """Mean over users of the standard deviation of a source's scores; float64 [n_sources]."""
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
    """Gather the candidates of `users` for lists of length k: the best unseen items of each source.

    sources: functions from rows of users to scores float32 [n_users, n_items]; seen, held_out:
    [n_users, n_items]; n_held_out: held-out pairs of every user; users: rows.
    """
    parts = [_block_pool(sources, seen, held_out, block, k) for block in blocks_of(users)]
    return Pool(
        scores=np.concatenate([scores for scores, _ in parts], axis=1),
        relevant=np.concatenate([relevant for _, relevant in parts]),
        n_relevant=n_held_out[users],
    )


def learn_weights(pool: Pool, k: int, seed: int = 0) -> Weights:
    """Weights >= 0 of the sources, float64 [n_sources], with a high NDCG@k of the weighted sum.

    Bagged ensemble selection (Caruana et al., Ensemble selection from libraries of models, ICML
    2004): on a bootstrap sample of the users, add again and again the source that raises NDCG@k
    most; average the counts over samples, because those of one sample overfit it. Sources are added
    as scores divided by their standard deviation; the weights returned include that division.
    """
    rng = np.random.default_rng(seed)
    scales = 1.0 / pool.deviations()
    n_users = len(pool.relevant)
    bags = [
        _select(pool.of_users(rng.integers(n_users, size=n_users)), scales, k) for _ in range(_BAGS)
    ]
    shares = np.mean(bags, axis=0)
    shares[shares < _MIN_SHARE] = 0.0
    return np.asarray(shares * scales, dtype=np.float64)


def _select(pool: Pool, scales: Weights, k: int) -> Weights:
    """Add the best source _CHOICES times; returns the shares (sum 1) where NDCG was highest."""
    one_more = np.eye(len(scales))
    counts, best, best_shares = np.zeros(len(scales)), -1.0, np.zeros(len(scales))
    for _ in range(_CHOICES):
        metrics = [pool.ndcg((counts + one) * scales, k) for one in one_more]
        chosen = int(np.argmax(metrics))
        counts = counts + one_more[chosen]
        if metrics[chosen] > best:
            best, best_shares = metrics[chosen], counts / counts.sum()
    return best_shares


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
    found = np.hstack([largest_columns(table, _POOL_FACTOR * k) for table in tables])
    found.sort(axis=1)
    repeated = np.zeros(found.shape, dtype=bool)
    repeated[:, 1:] = found[:, 1:] == found[:, :-1]
    scores = np.stack([np.take_along_axis(table, found, axis=1) for table in tables])
    scores[:, repeated] = -np.inf
    relevant = np.take_along_axis(held_out[block].toarray() > 0, found, axis=1)
    return scores, relevant & ~repeated
