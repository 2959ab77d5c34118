"""Weights of a blend of score sources, learnt on held-out pairs. No Spark in here."""

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

_BAGS = 8  # samples of the users; each chooses on its own
_CHOICES = 15  # sources that a bag adds up, one after the other
_LEAST_SHARE = 0.05  # of the sum; a source below it is not worth fitting
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
        hits = np.take_along_axis(self.relevant, largest_columns(total, k), axis=1)
        return float(ndcg(hits, self.n_relevant).mean())

    def of_users(self, rows: Codes) -> Pool:
        """The pool of the users in these rows."""
        return Pool(self.scores[:, rows], self.relevant[rows], self.n_relevant[rows])

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


def learn_weights(pool: Pool, k: int, seed: int = 0) -> Weights:
    """Weights >= 0 of the sources that rank the pool's users well.

    Bagged ensemble selection (Caruana et al., Ensemble selection from libraries of models, ICML
    2004): a bag adds, again and again, the source that gains most NDCG@k on a sample of the users;
    the mean of the bags is far less of a chance result than the best weights of any one sample.
    Shares are in units of each source's deviation; the weights returned include that scaling.
    """
    rng = np.random.default_rng(seed)
    scales = 1.0 / pool.deviations()
    n_users = len(pool.relevant)
    bags = [
        _select(pool.of_users(rng.integers(n_users, size=n_users)), scales, k) for _ in range(_BAGS)
    ]
    shares = np.mean(bags, axis=0)
    shares[shares < _LEAST_SHARE] = 0.0
    return np.asarray(shares * scales, dtype=np.float64)


def _select(pool: Pool, scales: Weights, k: int) -> Weights:
    """Shares of the sources in the best of the sums that grow source by source; they sum to 1."""
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
