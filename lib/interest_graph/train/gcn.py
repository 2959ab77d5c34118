"""LightGCN on one shard in plain torch: propagation, loss, gradients, steps. No Spark here.

He et al., "LightGCN: Simplifying and Powering Graph Convolution Network for Recommendation",
SIGIR 2020. Users' vectors of layer k+1 are R^_s V_k. Items' are R^_s' U_k + H_{k+1}, where H is
what the other shards contributed at the last exchange, a constant within a round (historical
embeddings as in Fey et al., "GNNAutoScale", ICML 2021, here per item and not per neighbourhood).
With one shard H is zero and everything below is full-graph training.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from interest_graph.arrays import Arrays

if TYPE_CHECKING:
    import torch
    from scipy.sparse import csr_matrix

_BETA_1, _BETA_2, _EPSILON = 0.9, 0.999, 1e-8


@dataclass(frozen=True)
class Batch:
    """Triples of one step: users (rows of the shard), items they have, items they lack."""

    users: torch.Tensor
    positives: torch.Tensor
    negatives: torch.Tensor


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
class ShardGCN:
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

    def propagate(self) -> tuple[torch.Tensor, torch.Tensor, list[torch.Tensor]]:
        """Mean of the layers for users and items, and the shard's own part of items' layers."""
        U, V = self.users, self.items
        sum_U, sum_V = U.clone(), V.clone()
        own = []
        for remainder in self.remainders:
            part = self.R_t @ U
            own.append(part)
            U, V = self.R @ V, part + remainder
            sum_U += U
            sum_V += V
        return sum_U / (self.n_layers + 1), sum_V / (self.n_layers + 1), own

    def backpropagate(
        self, at_users: torch.Tensor, at_items: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Gradients of the parameters from those of the propagated vectors.

        Propagation is linear, so its adjoint is the same walk with R and R' exchanged.
        """
        G_U, G_V = at_users / (self.n_layers + 1), at_items / (self.n_layers + 1)
        dU, dV = G_U, G_V
        for _ in range(self.n_layers):
            dU, dV = G_U + self.R @ dV, G_V + self.R_t @ dU
        return dU, dV

    def step(self, batch: Batch, *, learning_rate: float, weight_decay: float) -> torch.Tensor:
        """One step of Bayesian personalised ranking (Rendle et al., UAI 2009); returns the loss.

        loss = -mean log sigmoid(s_ui - s_uj) + weight_decay * (|U_u|^2 + |V_i|^2 + |V_j|^2) / batch
        """
        loss, dU, dV = self.gradients(batch, weight_decay)
        self.user_optimiser.step(self.users, dU, learning_rate)
        self.item_optimiser.step(self.items, dV, learning_rate)
        return loss

    def gradients(
        self, batch: Batch, weight_decay: float
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """The loss of a batch and its gradients for users and items."""
        import torch

        final_U, final_V, _ = self.propagate()
        U, V_pos = final_U[batch.users], final_V[batch.positives]
        V_neg = final_V[batch.negatives]
        margin = (U * (V_pos - V_neg)).sum(dim=1)
        n = len(margin)
        pull = -torch.sigmoid(-margin)[:, None] / n
        at_users = torch.zeros_like(self.users).index_add_(0, batch.users, pull * (V_pos - V_neg))
        at_items = torch.zeros_like(self.items).index_add_(0, batch.positives, pull * U)
        at_items.index_add_(0, batch.negatives, -pull * U)
        dU, dV = self.backpropagate(at_users, at_items)
        penalty = self._decay(batch, dU, dV, weight_decay / n)
        return penalty - torch.nn.functional.logsigmoid(margin).mean(), dU, dV

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


def to_torch(matrix: csr_matrix, device: str) -> torch.Tensor:
    """A SciPy CSR matrix as a torch one."""
    import torch

    return torch.sparse_csr_tensor(
        torch.from_numpy(matrix.indptr.astype(np.int64)),
        torch.from_numpy(matrix.indices.astype(np.int64)),
        torch.from_numpy(matrix.data.astype(np.float32)),
        size=matrix.shape,
        device=device,
    )


def load_shard(R: csr_matrix, state: Arrays, shared: Arrays, device: str) -> ShardGCN:
    """A shard as it stood after its last round, with the exchanged item state.

    state: users, own, and the moments user_mean, user_square, item_mean, item_square, n_steps.
    shared: items float32[items, d], totals float32[layers * items, d] over all shards.
    """
    n_items, dimension = shared["items"].shape
    remainders = (shared["totals"] - state["own"]).reshape(-1, n_items, dimension)
    model = ShardGCN(
        R=to_torch(R, device),
        R_t=to_torch(R.T.tocsr(), device),
        users=tensor(state["users"], device),
        items=tensor(shared["items"], device),
        remainders=tensor(remainders, device),
    )
    n_steps = int(state["n_steps"][0])
    model.user_optimiser, model.item_optimiser = (
        Adam(tensor(state[f"{kind}_mean"], device), tensor(state[f"{kind}_square"], device), n_steps)
        for kind in ("user", "item")
    )
    return model


def dump_shard(model: ShardGCN) -> Arrays:
    """The state that `load_shard` takes."""
    _, _, own = model.propagate()
    return {
        "users": array(model.users),
        "own": np.concatenate([array(part) for part in own]),
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
