"""Ranking losses of one batch and their gradients at the propagated vectors, in torch."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


# A logit that takes no share, and finite: a user may have every item of a pool.
_NEVER = -1e9
# Vectors below this length keep a cosine near 0: vertices without edges may have none.
_SHORTEST = 1e-6


@dataclass(frozen=True)
class Pool:
    """Negatives that all pairs of a batch share, compared once with each of its M distinct users.

    firsts: a pair of each distinct user, int64[M]; owners: the distinct user of each pair,
    int64[B]; seen: bool[M, N], pool items that the user has; log_odds: float32[N], log of how
    often the pool is expected to hold the item.
    """

    firsts: torch.Tensor
    owners: torch.Tensor
    seen: torch.Tensor
    log_odds: torch.Tensor


@dataclass(frozen=True)
class Batch:
    """What one step looks at, B pairs of user and item.

    users: rows of the shard, int64[B]; positives: items they have, int64[B]; negatives: an item
    that each lacks, int64[B], or candidates for it, int64[B, C], or a pool for all, int64[N].
    """

    users: torch.Tensor
    positives: torch.Tensor
    negatives: torch.Tensor
    pool: Pool | None = None


@dataclass(frozen=True)
class Slopes:
    """A loss and its gradients by the vectors of users[B, d], positives[B, d] and negatives."""

    loss: torch.Tensor
    users: torch.Tensor
    positives: torch.Tensor
    negatives: torch.Tensor


@dataclass(frozen=True)
class Objective:
    """What a step lowers.

    loss: bpr or softmax; similarity: dot or cosine; clip_norm: largest norm of its gradient.
    """

    loss: str = "bpr"
    similarity: str = "dot"
    temperature: float = 1.0
    weight_decay: float = 0.0
    clip_norm: float | None = None

    def slopes(self, U: torch.Tensor, V: torch.Tensor, N: torch.Tensor, batch: Batch) -> Slopes:
        """The loss without the weight decay."""
        if self.similarity == "dot":
            return self._slopes(U, V, N, batch)
        # A vector's length does nothing to the cosine: only what turns the vector is left.
        lengths = [x.norm(dim=1, keepdim=True).clamp_min_(_SHORTEST) for x in (U, V, N)]
        U, V, N = U / lengths[0], V / lengths[1], N / lengths[2]
        slopes = self._slopes(U, V, N, batch)
        parts = (slopes.users, slopes.positives, slopes.negatives)
        return Slopes(slopes.loss, *map(_turn, parts, (U, V, N), lengths))

    def _slopes(self, U: torch.Tensor, V: torch.Tensor, N: torch.Tensor, batch: Batch) -> Slopes:
        if self.loss == "softmax":
            return sampled_softmax(U, V, N, batch.pool, self.temperature)
        return personalised_ranking(U, V, N)


def _turn(slope: torch.Tensor, unit: torch.Tensor, length: torch.Tensor) -> torch.Tensor:
    """The slope by a vector, from the slope by its unit vector."""
    return (slope - (slope * unit).sum(dim=1, keepdim=True) * unit) / length


def with_hardest(
    batch: Batch, U: torch.Tensor, V: torch.Tensor, *, similarity: str = "dot"
) -> Batch:
    """The batch with the one of each pair's candidates that scores highest, where it has several.

    Zhang et al., "Optimizing top-N collaborative filtering via dynamic negative item sampling",
    SIGIR 2013. U, V: vectors of all users and items.
    """
    import torch

    if batch.negatives.dim() == 1:
        return batch
    candidates = V[batch.negatives]
    scores = torch.einsum("bd,bcd->bc", U[batch.users], candidates)
    if similarity == "cosine":  # of one user's candidates, whose length is the same for all
        scores = scores / candidates.norm(dim=2).clamp_min_(_SHORTEST)
    hardest = batch.negatives.gather(1, scores.argmax(dim=1, keepdim=True))[:, 0]
    return replace(batch, negatives=hardest)


def personalised_ranking(U: torch.Tensor, V: torch.Tensor, N: torch.Tensor) -> Slopes:
    """-mean log sigmoid(<u, v> - <u, n>): Rendle et al., "BPR", UAI 2009.

    U, V, N: float32[B, d], vectors of users, positives and negatives.
    """
    import torch

    margin = (U * (V - N)).sum(dim=1)
    pull = (-torch.sigmoid(-margin) / len(U))[:, None]
    loss = -torch.nn.functional.logsigmoid(margin).mean()
    return Slopes(loss, pull * (V - N), pull * U, -pull * U)


def sampled_softmax(
    U: torch.Tensor, V: torch.Tensor, N: torch.Tensor, pool: Pool | None, temperature: float
) -> Slopes:
    """-mean log of the positive's share among itself and the pool's items that the user lacks.

    Pool items count by how rarely they are drawn, so that the pool stands for all items:
    logit = <u, n> / temperature - log_odds (Bengio & Senecal, 2008; Yi et al., RecSys 2019).
    A pair's share is sigmoid(its logit - log-sum-exp of its user's pool), so that users meet the
    pool once however many pairs they have. U, V: float32[B, d]; N: float32[N, d].
    """
    import torch

    if pool is None:
        raise ValueError("softmax compares with a pool of items, not with one item a pair")
    owners = U[pool.firsts]
    logits = torch.addmm(-pool.log_odds, owners, N.T, alpha=1 / temperature)
    logits = logits.masked_fill_(pool.seen, _NEVER)
    against = logits.logsumexp(dim=1)
    margin = (U * V).sum(dim=1) / temperature - against[pool.owners]
    loss = -torch.nn.functional.logsigmoid(margin).mean()
    pull = -torch.sigmoid(-margin) / (len(U) * temperature)
    push = torch.zeros_like(against).index_add_(0, pool.owners, -pull)
    shares = logits.sub_(against[:, None]).exp_().mul_(push[:, None])
    at_users = (pull[:, None] * V).index_add_(0, pool.firsts, shares @ N)
    return Slopes(loss, at_users, pull[:, None] * U, shares.T @ owners)
