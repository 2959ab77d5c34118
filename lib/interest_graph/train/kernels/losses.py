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
    log_odds: float32[N], log of the expected number of times that the item is drawn.
    """

    firsts: torch.Tensor
    owners: torch.Tensor
    seen: torch.Tensor
    log_odds: torch.Tensor


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

    loss: bpr or softmax; similarity: dot or cosine, the score of a pair; temperature: divides the
    scores (softmax); weight_decay: factor of the squared vectors that `ShardModel.gradients` adds;
    clip_norm: largest norm of the gradient of all parameters, None for no limit.
    """

    loss: str = "bpr"
    similarity: str = "dot"
    temperature: float = 1.0
    weight_decay: float = 0.0
    clip_norm: float | None = None

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

    logit = <u, n> / temperature - log_odds of a pool item: subtracting log_odds corrects for how
    often it is drawn, so that the pool stands for all items (Bengio & Senecal, 2008; Yi et al.,
    RecSys 2019). The positive's probability is sigmoid(its logit - log-sum-exp of its user's pool);
    that sum is computed once a user, however many pairs of the batch are the user's.
    U, V: float32[B, d]; N: float32[N, d]. Raises ValueError without a pool.
    """
    import torch

    if pool is None:
        raise ValueError("softmax compares with a pool of items, not with one item a pair")
    distinct = U[pool.firsts]
    logits = torch.addmm(-pool.log_odds, distinct, N.T, alpha=1 / temperature)
    logits = logits.masked_fill_(pool.seen, _MASKED_LOGIT)
    log_sums = logits.logsumexp(dim=1)
    margin = (U * V).sum(dim=1) / temperature - log_sums[pool.owners]
    loss = -torch.nn.functional.logsigmoid(margin).mean()
    by_score = -torch.sigmoid(-margin) / (len(U) * temperature)
    by_log_sum = torch.zeros_like(log_sums).index_add_(0, pool.owners, -by_score)
    by_pool_score = logits.sub_(log_sums[:, None]).exp_().mul_(by_log_sum[:, None])
    by_user = (by_score[:, None] * V).index_add_(0, pool.firsts, by_pool_score @ N)
    return LossGradients(loss, by_user, by_score[:, None] * U, by_pool_score.T @ distinct)
