"""Ranking losses of one batch and their gradients at the propagated vectors, in torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Batch:
    """What one step looks at, B pairs of user and item.

    users: rows of the shard, int64[B]; positives: items they have, int64[B]; negatives: an item
    that each lacks, int64[B], or a pool for all of them, int64[N].
    seen: bool[B, N], pool items that the user has; log_odds: float32[N], log of how often the
    pool is expected to hold the item. Both are there where there is a pool.
    """

    users: torch.Tensor
    positives: torch.Tensor
    negatives: torch.Tensor
    seen: torch.Tensor | None = None
    log_odds: torch.Tensor | None = None


@dataclass(frozen=True)
class Slopes:
    """A loss and its gradients by the vectors of users[B, d], positives[B, d] and negatives."""

    loss: torch.Tensor
    users: torch.Tensor
    positives: torch.Tensor
    negatives: torch.Tensor


@dataclass(frozen=True)
class Objective:
    """What a step lowers. loss: bpr or softmax; clip_norm: largest norm of its gradient."""

    loss: str = "bpr"
    temperature: float = 1.0
    weight_decay: float = 0.0
    clip_norm: float | None = None

    def slopes(self, U: torch.Tensor, V: torch.Tensor, N: torch.Tensor, batch: Batch) -> Slopes:
        """The loss without the weight decay."""
        if self.loss == "softmax":
            return sampled_softmax(U, V, N, batch, self.temperature)
        return personalised_ranking(U, V, N)


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
    U: torch.Tensor, V: torch.Tensor, pool: torch.Tensor, batch: Batch, temperature: float
) -> Slopes:
    """-mean log of the positive's share among itself and the pool's items that the user lacks.

    Pool items count by how rarely they are drawn, so that the pool stands for all items:
    logit = <u, n> / temperature - log_odds (Bengio & Senecal, 2008; Yi et al., RecSys 2019).
    U, V: float32[B, d]; pool: float32[N, d].
    """
    import torch

    if batch.seen is None or batch.log_odds is None:
        raise ValueError("softmax compares with a pool of items, not with one item a pair")
    positive = (U * V).sum(dim=1, keepdim=True) / temperature
    logits = U @ pool.T / temperature - batch.log_odds
    logits = logits.masked_fill(batch.seen, -torch.inf)
    everything = torch.cat([positive, logits], dim=1)
    loss = -torch.log_softmax(everything, dim=1)[:, 0].mean()
    shares = torch.softmax(everything, dim=1) / (len(U) * temperature)
    pull = shares[:, :1] - 1 / (len(U) * temperature)
    push = shares[:, 1:]
    return Slopes(loss, pull * V + push @ pool, pull * U, push.T @ U)
