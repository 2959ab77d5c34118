"""Weights of a sum of several models' scores, learnt on held-out pairs. No Spark here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache

import numpy as np
import numpy.typing as npt
from scipy import sparse

from interest_graph.largest import largest_columns
from interest_graph.train.kernels.ranking import Codes, Floats, blocks_of, ideal_gain
from interest_graph.train.tuning.filter_bank import FilterBank, FilterSettings, FilterSum

Score = Callable[[Codes], Floats]
Weights = npt.NDArray[np.float64]

_BAGS = 8  # bootstrap samples of the users; the selection is repeated on each
_CHOICES = 15  # additions in a selection; a source may be added several times
_LEARNT = 0.5  # weight of the shares that the selection finds, beside equal ones
_GOOD = 0.9  # share of the best source's NDCG from which a source is a good one
_MIN_SHARE = 0.05  # a source with a smaller share of the sum gets weight 0 and is not fitted
_USERS_PER_BANK_BLOCK = 64  # a bank holds some tens of tables [users, items] at a time
_POOL_FACTOR = 5  # each source's best _POOL_FACTOR * k items are candidates


@dataclass(frozen=True)
class Pool:
    """Each user's candidates, the best unseen items of every source, with all sources' scores.

    scores: float32 [n_sources, n_users, width], -inf where there is no candidate;
    relevant: bool [n_users, width], true for held-out items; n_relevant: int64 [n_users], held-out
    pairs of each user, also of items that no source can score. basis: by degree exponent the tables
    of a filter bank at the candidates, float32 [n_basis, n_users, width], 0 where there is none;
    is_candidate: bool [n_users, width], needed beside a basis.
    """

    scores: Floats
    relevant: npt.NDArray[np.bool_]
    n_relevant: Codes
    basis: Mapping[float, Floats] = field(default_factory=dict)
    is_candidate: npt.NDArray[np.bool_] | None = None

    def ndcg(self, weights: Sequence[float] | Weights, k: int) -> float:
        """Mean NDCG@k over the users, with candidates ranked by the weighted sum of the scores."""
        return float(self.ndcg_of_users(self.sum_of(weights), k).mean())

    def sum_of(self, weights: Sequence[float] | Weights) -> Floats:
        """The weighted sum of the scores; float32 [n_users, width]."""
        total = np.zeros(self.relevant.shape, dtype=np.float32)
        for weight, scores in zip(weights, self.scores, strict=True):
            if weight > 0:
                total += np.float32(weight) * scores
        return total

    def ndcg_of_users(self, scores: Floats, k: int) -> Weights:
        """NDCG@k of each user, with candidates ranked by scores [n_users, width].

        From the places of the relevant ones, which are few, so that nothing is sorted: before a
        candidate are those with a higher score and, of equal ones, those further to the left.
        """
        users, columns = self.relevant.nonzero()
        own, others = scores[users, columns][:, None], scores[users]
        is_before = others > own
        is_before |= (others == own) & (np.arange(scores.shape[1]) < columns[:, None])
        places = np.count_nonzero(is_before, axis=1)
        gains = np.where(places < k, 1.0 / np.log2(places + 2.0), 0.0)
        total = np.bincount(users, gains, minlength=len(scores))
        return np.asarray(total / ideal_gain(self.n_relevant, k), dtype=np.float64)

    def deviations(self) -> Weights:
        """Mean over users of the standard deviation of a source's scores; float64 [n_sources]."""
        return np.array([_deviation(scores) for scores in self.scores])


def pool_of(
    sources: Sequence[Score],
    seen: sparse.csr_matrix,
    held_out: sparse.csr_matrix,
    n_held_out: Codes,
    users: Codes,
    k: int,
    bank: FilterBank | None = None,
) -> Pool:
    """Gather the candidates of `users` for lists of length k: the best unseen items of each source.

    sources: functions from rows of users to scores float32 [n_users, n_items]; seen, held_out:
    [n_users, n_items]; n_held_out: held-out pairs of every user; users: rows. bank: filters that
    nominate candidates, too, and whose basis the pool then has.
    """
    blocks = blocks_of(users, _USERS_PER_BANK_BLOCK) if bank else blocks_of(users)
    parts = [_block_pool(sources, bank, seen, held_out, block, k) for block in blocks]
    width = max(part.relevant.shape[1] for part in parts)
    parts = [_widened(part, width) for part in parts]
    return Pool(
        scores=np.concatenate([part.scores for part in parts], axis=1),
        relevant=np.concatenate([part.relevant for part in parts]),
        n_relevant=n_held_out[users],
        basis={
            exponent: np.concatenate([part.basis[exponent] for part in parts], axis=1)
            for exponent in parts[0].basis
        },
        is_candidate=np.concatenate([part.is_candidate for part in parts]) if bank else None,
    )


def best_filters(pool: Pool, bank: FilterBank, k: int) -> list[FilterSum]:
    """For each degree exponent of the bank the average of its good filters, as their weighted sum.

    Good are the filters whose NDCG@k is within one standard error of the exponent's highest, that
    have the same singular vectors or none. Their average costs what one of them does, and which of
    them happens to be the first decides nothing. Linear polynomials, or none, are enough where one
    of them is within one standard error of the highest NDCG of all (Breiman et al., Classification
    and regression trees, 1984): each further order costs two products with all pairs for each item.
    """
    of_users = {
        settings: pool.ndcg_of_users(_filtered(pool, bank, settings), k)
        for settings in bank.grid.settings()
    }
    order = min(settings.order for settings in _as_good_as_best(of_users))
    cheap = {settings: each for settings, each in of_users.items() if settings.order <= order}
    sums: list[FilterSum] = []
    for exponent in bank.grid.degree_exponents:
        own = {s: each for s, each in cheap.items() if s.degree_exponent == exponent}
        first, *others = _as_good_as_best(own)
        good = [first, *(s for s in others if not s.ideal_weight or s.n_vectors == first.n_vectors)]
        weights = [1 / _deviation(_filtered(pool, bank, settings)) for settings in good]
        sums.append([(s, weight / len(good)) for s, weight in zip(good, weights, strict=True)])
    return sums


def _as_good_as_best(of_users: Mapping[FilterSettings, Weights]) -> list[FilterSettings]:
    """Those whose mean is within one standard error of the highest, which comes first."""
    ranked = sorted(of_users, key=lambda settings: -of_users[settings].mean())
    highest = of_users[ranked[0]]
    differences = {settings: highest - of_users[settings] for settings in ranked}
    scale = np.sqrt(len(highest))
    return [s for s, each in differences.items() if each.mean() * scale <= each.std()]


def with_filters(pool: Pool, bank: FilterBank, sums: Sequence[FilterSum]) -> Pool:
    """The pool with the scores of sums of filters after those of its sources, without a basis."""
    added = [
        np.sum([np.float32(weight) * _filtered(pool, bank, s) for s, weight in each], axis=0)[None]
        for each in sums
    ]
    scores = np.concatenate([pool.scores, *added])
    return Pool(scores, pool.relevant, pool.n_relevant)


def learn_weights(pool: Pool, k: int, seed: int = 0) -> Weights:
    """Weights >= 0 of the sources, float64 [n_sources], with a high NDCG@k of the weighted sum.

    Bagged ensemble selection (Caruana et al., Ensemble selection from libraries of models, ICML
    2004): on a bootstrap sample of the users, add again and again the source that raises NDCG@k
    most; average the counts over samples, because those of one sample overfit it. The shares found
    are then averaged with equal shares of the good sources: what people do next differs from what
    was held out, and equal shares bear that best (Stock, Watson, Combination forecasts of output
    growth in a seven-country data set, Journal of Forecasting 2004, on such shrinkage). Sources are
    added as scores divided by their standard deviation; the weights returned include that division.
    """
    rng = np.random.default_rng(seed)
    scales = 1.0 / pool.deviations()
    n_users = len(pool.relevant)

    @cache  # the samples try the same sums
    def ndcg_of(counts: tuple[int, ...]) -> Weights:
        return pool.ndcg_of_users(pool.sum_of(np.array(counts) * scales), k)

    bags = [
        _select(
            ndcg_of,
            np.bincount(rng.integers(n_users, size=n_users), minlength=n_users),
            len(scales),
        )
        for _ in range(_BAGS)
    ]
    metrics = np.array(
        [ndcg_of(tuple(one.tolist())).mean() for one in np.eye(len(scales), dtype=int)]
    )
    is_good = metrics >= _GOOD * metrics.max()
    shares = _LEARNT * np.mean(bags, axis=0) + (1 - _LEARNT) * is_good / is_good.sum()
    shares[shares < _MIN_SHARE] = 0.0
    return np.asarray(shares * scales, dtype=np.float64)


def _select(
    ndcg_of: Callable[[tuple[int, ...]], Weights], sample: Codes, n_sources: int
) -> Weights:
    """Add the best source _CHOICES times; returns the shares (sum 1) where NDCG was highest.

    ndcg_of: NDCG of each user by how often each source was added; sample: times that each user
    counts.
    """
    one_more = np.eye(n_sources, dtype=np.int64)
    counts, best, best_shares = np.zeros(n_sources, np.int64), -1.0, np.zeros(n_sources)
    for _ in range(_CHOICES):
        metrics = [float(sample @ ndcg_of(tuple((counts + one).tolist()))) for one in one_more]
        chosen = int(np.argmax(metrics))
        counts = counts + one_more[chosen]
        if metrics[chosen] > best:
            best, best_shares = metrics[chosen], counts / counts.sum()
    return best_shares


def _deviation(scores: Floats) -> float:
    """Mean over users of the standard deviation of their finite scores [n_users, width]."""
    spread = np.std(scores, axis=1, where=np.isfinite(scores), dtype=np.float64).mean()
    return max(float(spread), 1e-12)


def _filtered(pool: Pool, bank: FilterBank, settings: FilterSettings) -> Floats:
    """The filter's scores at the candidates, -inf where there is none."""
    scores = bank.combined(pool.basis[settings.degree_exponent], settings)
    absent = np.zeros(scores.shape, bool) if pool.is_candidate is None else ~pool.is_candidate
    scores[absent] = -np.inf
    return scores


def _block_pool(
    sources: Sequence[Score],
    bank: FilterBank | None,
    seen: sparse.csr_matrix,
    held_out: sparse.csr_matrix,
    block: Codes,
    k: int,
) -> Pool:
    """The pool of a block of users, whose candidates are the items that any source puts first."""
    known = seen[block].nonzero()

    def best(table: Floats) -> Codes:
        table[known] = -np.inf
        return largest_columns(table, _POOL_FACTOR * k)

    tables = [np.array(score(block), dtype=np.float32) for score in sources]
    found = [best(table) for table in tables]
    terms = {}
    for exponent, of_exponent, nominating in bank.nominate(block) if bank else ():
        terms[exponent] = of_exponent
        found += [best(table) for table in nominating]
    candidates, absent = _distinct(np.hstack(found))
    absent |= np.take_along_axis(seen[block].toarray() > 0, candidates, axis=1)
    relevant = np.take_along_axis(held_out[block].toarray() > 0, candidates, axis=1)
    scores = np.empty((len(tables), *candidates.shape), dtype=np.float32)
    for place, table in enumerate(tables):
        scores[place] = np.take_along_axis(table, candidates, axis=1)
    basis = {
        exponent: bank.basis(exponent, of_exponent, candidates) if bank else scores
        for exponent, of_exponent in terms.items()
    }
    scores[:, absent] = -np.inf
    for values in basis.values():
        values[:, absent] = 0.0
    return Pool(scores, relevant & ~absent, np.empty(0, dtype=np.int64), basis, ~absent)


def _distinct(found: Codes) -> tuple[Codes, npt.NDArray[np.bool_]]:
    """Each row's distinct items side by side, and which places of a row have none."""
    found = np.sort(found, axis=1)
    repeated = np.zeros(found.shape, dtype=bool)
    repeated[:, 1:] = found[:, 1:] == found[:, :-1]
    width = int((~repeated).sum(axis=1).max())
    order = np.argsort(repeated, axis=1, kind="stable")[:, :width]
    return np.take_along_axis(found, order, axis=1), np.take_along_axis(repeated, order, axis=1)


def _widened(pool: Pool, width: int) -> Pool:
    """The pool with places without a candidate at the end of each row."""
    missing = width - pool.relevant.shape[1]
    places = [(0, 0), (0, 0), (0, missing)]
    return Pool(
        np.pad(pool.scores, places, constant_values=-np.inf),
        np.pad(pool.relevant, places[1:]),
        pool.n_relevant,
        {exponent: np.pad(tables, places) for exponent, tables in pool.basis.items()},
        None if pool.is_candidate is None else np.pad(pool.is_candidate, places[1:]),
    )
