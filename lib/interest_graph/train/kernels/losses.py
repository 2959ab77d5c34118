"""Ranking losses of one mini-batch and their gradients, written out by hand in torch.

The gradients are taken with respect to the propagated vectors; `ShardModel.backpropagate` carries
them on to the parameters.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


# Mask value of pool items that the user has: large, negative and finite, so that softmax gives
# them probability 0, and no NaN to a user who has every item of the pool.
_MASKED_LOGIT = -1e9
# Lengths are raised to this before a vector is divided by its own: a vertex without edges may have
# a vector of zeros, whose cosine is then 0.
_MIN_LENGTH = 1e-6


@dataclass(frozen=True)
class Pool:
    """N negatives shared by the B pairs of a mini-batch, scored once for each of its M users.

    firsts: int64[M], the position in the batch of a pair of each distinct user; owners: int64[B],
    the number (below M) of each pair's user; seen: bool[M, N], true where the user has the item;
    log_weights: float32[N], log of the number of times that the item counts, added to its logit.
    """

    firsts: torch.Tensor
    owners: torch.Tensor
    seen: torch.Tensor
    log_weights: torch.Tensor


@dataclass(frozen=True)
class Batch:
    """A mini-batch: B user-item pairs of the shard, and items to rank below them.

    users: int64[B], rows of the shard's matrix; positives: int64[B], the item of each pair;
    negatives: items that the users lack: one a pair, int64[B], or C candidates a pair, int64[B, C],
    or, with a pool, the pool's items, int64[N].
    """

    users: torch.Tensor
    positives: torch.Tensor
    negatives: torch.Tensor
    pool: Pool | None = None


@dataclass(frozen=True)
class LossGradients:
    """A loss (a scalar) and its gradients with respect to the propagated vectors of a mini-batch.

    users, positives: float32[B, d]; negatives: float32[B, d], or float32[N, d] of a pool.
    """

    loss: torch.Tensor
    users: torch.Tensor
    positives: torch.Tensor
    negatives: torch.Tensor


@dataclass(frozen=True)
class Objective:
    """What training minimises: a loss on scores of user-item pairs, and a penalty on their vectors.

    loss: bpr, softmax or bsl; similarity: dot or cosine, the score of a pair; temperature: divides
    the scores (softmax, bsl); power: exponent of the negatives' sum (bsl); weight_decay: factor of
    the squared vectors that `ShardModel.gradients` adds; clip_norm: largest norm of the gradient of
    all parameters, None for no limit.
    """

    loss: str = "bpr"
    similarity: str = "dot"
    temperature: float = 1.0
    power: float = 1.0
    weight_decay: float = 0.0
    clip_norm: float | None = None

    @property
    def wants_pool(self) -> bool:
        """Whether a mini-batch shares a pool of negatives, instead of one a pair."""
        return self.loss in ("softmax", "bsl")

    def gradients(
        self, U: torch.Tensor, V: torch.Tensor, N: torch.Tensor, batch: Batch
    ) -> LossGradients:
        """The loss without weight decay, and its gradients with respect to U, V and N.

        U, V, N: propagated vectors of the batch's users, positives and negatives; shapes as in
        LossGradients.
        """
        if self.similarity == "dot":
            return self._gradients(U, V, N, batch)
        lengths = [x.norm(dim=1, keepdim=True).clamp_min_(_MIN_LENGTH) for x in (U, V, N)]
        U, V, N = U / lengths[0], V / lengths[1], N / lengths[2]
        gradients = self._gradients(U, V, N, batch)
        parts = (gradients.users, gradients.positives, gradients.negatives)
        return LossGradients(gradients.loss, *map(_through_normalising, parts, (U, V, N), lengths))

    def _gradients(
        self, U: torch.Tensor, V: torch.Tensor, N: torch.Tensor, batch: Batch
    ) -> LossGradients:
        if self.loss == "softmax":
            return sampled_softmax(U, V, N, batch.pool, self.temperature)
        if self.loss == "bsl":
            return bilateral_softmax(U, V, N, batch.pool, self.temperature, self.power)
        return personalised_ranking(U, V, N)


def _through_normalising(
    gradient: torch.Tensor, unit: torch.Tensor, length: torch.Tensor
) -> torch.Tensor:
    """The gradient with respect to x, from that with respect to unit = x / length; all by row.

    (g - <g, unit> unit) / length: a change of the length alone does not change the cosine.
    """
    return (gradient - (gradient * unit).sum(dim=1, keepdim=True) * unit) / length


def with_hardest(
    batch: Batch, U: torch.Tensor, V: torch.Tensor, *, similarity: str = "dot"
) -> Batch:
    """The batch with each pair's candidates replaced by the one that its user scores highest.

    Dynamic negative sampling: Zhang et al., "Optimizing top-N collaborative filtering via dynamic
    negative item sampling", SIGIR 2013. A batch without candidates comes back unchanged.
    U: float32[users, d], V: float32[items, d], propagated vectors of all users and items.
    """
    import torch

    if batch.negatives.dim() == 1:
        return batch
    candidates = V[batch.negatives]
    scores = torch.einsum("bd,bcd->bc", U[batch.users], candidates)
    if similarity == "cosine":  # the user's length is the same for all and decides nothing
        scores = scores / candidates.norm(dim=2).clamp_min_(_MIN_LENGTH)
    hardest = batch.negatives.gather(1, scores.argmax(dim=1, keepdim=True))[:, 0]
    return replace(batch, negatives=hardest)


def personalised_ranking(U: torch.Tensor, V: torch.Tensor, N: torch.Tensor) -> LossGradients:
    """-mean log sigmoid(<u, v> - <u, n>): Rendle et al., "BPR", UAI 2009.

    U, V, N: float32[B, d], vectors of users, positives and negatives.
    """
    import torch

    margin = (U * (V - N)).sum(dim=1)
    by_margin = (-torch.sigmoid(-margin) / len(U))[:, None]
    loss = -torch.nn.functional.logsigmoid(margin).mean()
    return LossGradients(loss, by_margin * (V - N), by_margin * U, -by_margin * U)


def sampled_softmax(
    U: torch.Tensor, V: torch.Tensor, N: torch.Tensor, pool: Pool | None, temperature: float
) -> LossGradients:
    """Cross-entropy of the positive among itself and the pool's items that the user lacks; mean.

    logit = <u, n> / temperature + log_weights of a pool item: those may correct for how often it is
    drawn, so that the pool stands for all items (Bengio & Senecal, 2008; Yi et al., RecSys 2019).
    The positive's probability is sigmoid(its logit - log-sum-exp of its user's pool); that sum is
    computed once a user, however many pairs of the batch are the user's.
    U, V: float32[B, d]; N: float32[N, d]. Raises ValueError without a pool.
    """
    import torch

    scores = _PoolScores(U, N, pool, temperature)
    margin = (U * V).sum(dim=1) / temperature - scores.log_sums[scores.pool.owners]
    loss = -torch.nn.functional.logsigmoid(margin).mean()
    by_score = -torch.sigmoid(-margin) / len(U)
    return scores.gradients(loss, U, V, by_score, -by_score)


def bilateral_softmax(
    U: torch.Tensor,
    V: torch.Tensor,
    N: torch.Tensor,
    pool: Pool | None,
    temperature: float,
    power: float,
) -> LossGradients:
    """-mean log( exp(<u, v> / t) / (sum of exp(<u, n> / t) over the pool) ** power ).

    Wu et al., "BSL: Understanding and Improving Softmax Loss for Recommendation", ICDE 2024, whose
    tau_1 / tau_2 is the power; 1 is plain softmax loss without the positive in the sum. A pair of a
    user who has the whole pool counts nothing. Arguments as in `sampled_softmax`.
    """
    scores = _PoolScores(U, N, pool, temperature)
    of_pairs = scores.log_sums[scores.pool.owners]
    counts = (of_pairs > _MASKED_LOGIT / 2).to(U.dtype)
    terms = power * of_pairs - (U * V).sum(dim=1) / temperature
    share = counts / len(U)
    return scores.gradients((share * terms).sum(), U, V, -share, power * share)


class _PoolScores:
    """Logits of the distinct users of a mini-batch and its pool, and their log-sum-exp by user."""

    def __init__(
        self, U: torch.Tensor, N: torch.Tensor, pool: Pool | None, temperature: float
    ) -> None:
        import torch

        if pool is None:
            raise ValueError("this loss compares with a pool of items, not with one item a pair")
        self.pool, self.N, self.temperature = pool, N, temperature
        self.distinct = U[pool.firsts]
        logits = torch.addmm(pool.log_weights, self.distinct, N.T, alpha=1 / temperature)
        self.logits = logits.masked_fill_(pool.seen, _MASKED_LOGIT)
        self.log_sums = self.logits.logsumexp(dim=1)

    def gradients(
        self,
        loss: torch.Tensor,
        U: torch.Tensor,
        V: torch.Tensor,
        by_logit: torch.Tensor,
        by_log_sum: torch.Tensor,
    ) -> LossGradients:
        """Gradients of the vectors, from those of each pair's positive logit and log-sum [B].

        Overwrites the logits.
        """
        import torch

        by_score, pool = by_logit[:, None] / self.temperature, self.pool
        of_users = torch.zeros_like(self.log_sums)
        of_users.index_add_(0, pool.owners, by_log_sum / self.temperature)
        by_pool_score = self.logits.sub_(self.log_sums[:, None]).exp_().mul_(of_users[:, None])
        by_user = (by_score * V).index_add_(0, pool.firsts, by_pool_score @ self.N)
        return LossGradients(loss, by_user, by_score * U, by_pool_score.T @ self.distinct)
