"""LightGCN on one shard in plain torch: propagation, loss, gradients, steps. No Spark here.

He et al., "LightGCN: Simplifying and Powering Graph Convolution Network for Recommendation",
SIGIR 2020. Users' vectors of layer k+1 are R^_s V_k. Items' are R^_s' U_k + H_{k+1}, where H is
what the other shards contributed at the last exchange, a constant within a round (historical
embeddings as in Fey et al., "GNNAutoScale", ICML 2021, here per item and not per neighbourhood).
With one shard H is zero and everything below is full-graph training.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from interest_graph.arrays import Arrays
from interest_graph.train.kernels.losses import Batch, Objective, with_hardest
from interest_graph.train.kernels.sparse import as_scipy, both_ways

if TYPE_CHECKING:
    import torch
    from scipy.sparse import csr_matrix


_BETA_1, _BETA_2, _EPSILON = 0.9, 0.999, 1e-8


class Adam:
    """Kingma & Ba's Adam on one tensor; its moments can be stored between rounds."""

    def __init__(self, mean: torch.Tensor, square: torch.Tensor, n_steps: int) -> None:
        self.mean, self.square, self.n_steps = mean, square, n_steps

    def step(self, value: torch.Tensor, gradient: torch.Tensor, learning_rate: float) -> None:
        """Change `value` in place."""
        self.n_steps += 1
        self.mean.lerp_(gradient, 1 - _BETA_1)
        self.square.mul_(_BETA_2).addcmul_(gradient, gradient, value=1 - _BETA_2)
        scale = (1 - _BETA_2**self.n_steps) ** 0.5
        spread = self.square.sqrt().div_(scale).add_(_EPSILON)
        value.addcdiv_(self.mean, spread, value=-learning_rate / (1 - _BETA_1**self.n_steps))


@dataclass
class ShardModel:
    """The parameters and the fixed surroundings of one shard.

    R, R_t: users x items and its transposed copy, torch CSR; a kept copy costs memory once, where
    autograd would transpose at every step. users: float32[users, d], items: float32[items, d].
    remainders: float32[layers, items, d], the other shards' part of the items' layers 1...
    """

    R: torch.Tensor
    R_t: torch.Tensor
    users: torch.Tensor
    items: torch.Tensor
    remainders: torch.Tensor
    user_optimiser: Adam = field(init=False)
    item_optimiser: Adam = field(init=False)

    @property
    def n_layers(self) -> int:
        """Graph convolutions."""
        return len(self.remainders)

    def propagate(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Mean of the layers for users and items."""
        import torch

        U, V = self.users, self.items
        sum_U, sum_V = U.clone(), V.clone()
        for remainder in self.remainders:
            # One product with its sum is 4 times faster here than the two apart.
            U, V = self.R @ V, torch.addmm(remainder, self.R_t, U)
            sum_U += U
            sum_V += V
        return sum_U.div_(self.n_layers + 1), sum_V.div_(self.n_layers + 1)

    def own_parts(self) -> list[torch.Tensor]:
        """What the shard contributes to the items' layers 1, 2 ..."""
        U, V = self.users, self.items
        parts = []
        for remainder in self.remainders:
            parts.append(self.R_t @ U)
            U, V = self.R @ V, parts[-1] + remainder
        return parts

    def backpropagate(
        self, at_users: torch.Tensor, at_items: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Gradients of the parameters from those of the propagated vectors.

        Propagation is linear, so its adjoint is the same walk with R and R' exchanged.
        """
        import torch

        G_U, G_V = at_users / (self.n_layers + 1), at_items / (self.n_layers + 1)
        dU, dV = G_U, G_V
        for _ in range(self.n_layers):
            dU, dV = torch.addmm(G_U, self.R, dV), torch.addmm(G_V, self.R_t, dU)
        return dU, dV

    @contextmanager
    def dropping(self, share: float, rng: np.random.Generator) -> Iterator[None]:
        """Propagate without a random share of the edges within the block; the others weigh more.

        Wu et al., "Self-supervised graph learning for recommendation", SIGIR 2021 (edge dropout).
        """
        R, R_t = self.R, self.R_t
        if share > 0:
            kept = as_scipy(R)
            kept.data *= (rng.random(kept.nnz) >= share) / (1 - share)
            kept.eliminate_zeros()
            self.R, self.R_t = both_ways(kept, str(self.users.device))
        try:
            yield
        finally:
            self.R, self.R_t = R, R_t

    def step(self, batch: Batch, objective: Objective, learning_rate: float) -> torch.Tensor:
        """One step of Adam; returns the loss."""
        loss, dU, dV = self.gradients(batch, objective)
        self.user_optimiser.step(self.users, dU, learning_rate)
        self.item_optimiser.step(self.items, dV, learning_rate)
        return loss

    def gradients(
        self, batch: Batch, objective: Objective
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """The objective of a batch and its gradients for users and items.

        objective = loss + weight_decay * sum of the squares of the batch's layer 0 / B
        """
        import torch

        final_U, final_V = self.propagate()
        batch = with_hardest(batch, final_U, final_V, similarity=objective.similarity)
        parts = final_U[batch.users], final_V[batch.positives], final_V[batch.negatives]
        slopes = objective.slopes(*parts, batch)
        at_users = torch.zeros_like(self.users).index_add_(0, batch.users, slopes.users)
        at_items = torch.zeros_like(self.items).index_add_(0, batch.positives, slopes.positives)
        at_items.index_add_(0, batch.negatives, slopes.negatives)
        dU, dV = self.backpropagate(at_users, at_items)
        penalty = self._decay(batch, dU, dV, objective.weight_decay / len(batch.users))
        _clip(dU, dV, objective.clip_norm)
        return slopes.loss + penalty, dU, dV

    def _decay(
        self, batch: Batch, dU: torch.Tensor, dV: torch.Tensor, strength: float
    ) -> torch.Tensor:
        """Add the penalty's gradient to dU and dV; returns the penalty."""
        import torch

        touched_items = torch.cat([batch.positives, batch.negatives])
        U, V = self.users[batch.users], self.items[touched_items]
        dU.index_add_(0, batch.users, U, alpha=2 * strength)
        dV.index_add_(0, touched_items, V, alpha=2 * strength)
        return strength * (U.square().sum() + V.square().sum())


def _clip(dU: torch.Tensor, dV: torch.Tensor, limit: float | None) -> None:
    """Scale both gradients down to a common norm of `limit` where it is larger."""
    if limit is None:
        return
    norm = (dU.square().sum() + dV.square().sum()).sqrt()
    scale = (limit / norm).clamp(max=1.0)
    dU.mul_(scale)
    dV.mul_(scale)


def load_shard(R: csr_matrix, state: Arrays, shared: Arrays, device: str) -> ShardModel:
    """A shard as it stood after its last round, with the exchanged item state.

    state: users, own, and the moments user_mean, user_square, item_mean, item_square, n_steps.
    shared: items float32[items, d], totals float32[layers * items, d] over all shards.
    """
    n_items, dimension = shared["items"].shape
    remainders = (shared["totals"] - state["own"]).reshape(-1, n_items, dimension)
    R_there, R_back = both_ways(R, device)
    model = ShardModel(
        R=R_there,
        R_t=R_back,
        users=tensor(state["users"], device),
        items=tensor(shared["items"], device),
        remainders=tensor(remainders, device),
    )
    n_steps = int(state["n_steps"][0])
    model.user_optimiser, model.item_optimiser = (
        Adam(
            tensor(state[f"{kind}_mean"], device), tensor(state[f"{kind}_square"], device), n_steps
        )
        for kind in ("user", "item")
    )
    return model


def dump_shard(model: ShardModel) -> Arrays:
    """The state that `load_shard` takes."""
    return {
        "users": array(model.users),
        "own": np.concatenate([array(part) for part in model.own_parts()]),
        "user_mean": array(model.user_optimiser.mean),
        "user_square": array(model.user_optimiser.square),
        "item_mean": array(model.item_optimiser.mean),
        "item_square": array(model.item_optimiser.square),
        "n_steps": np.array([model.user_optimiser.n_steps], dtype=np.int64),
    }


def first_state(users: np.ndarray, n_items: int, n_layers: int) -> Arrays:
    """The state of a shard before its first round; users: float32[users, d]."""
    dimension = users.shape[1]
    nothing = np.zeros((n_items, dimension), dtype=np.float32)
    return {
        "users": users,
        "own": np.zeros((n_layers * n_items, dimension), dtype=np.float32),
        "user_mean": np.zeros_like(users),
        "user_square": np.zeros_like(users),
        "item_mean": nothing,
        "item_square": nothing,
        "n_steps": np.zeros(1, dtype=np.int64),
    }


def tensor(values: np.ndarray, device: str) -> torch.Tensor:
    """A copy on the device: arrays from files and Arrow are read-only."""
    import torch

    return torch.from_numpy(np.array(values, dtype=np.float32)).to(device)


def array(values: torch.Tensor) -> np.ndarray:
    """Back to NumPy."""
    result: np.ndarray = values.cpu().numpy()
    return result
