"""LightGCN on one shard in plain torch: propagation, gradients, optimiser steps. No Spark here.

He et al., "LightGCN: Simplifying and Powering Graph Convolution Network for Recommendation",
SIGIR 2020. Layer 0, U_0 and V_0, holds the parameters. Layer k+1 of the shard's users is R^_s V_k,
that of all items R^_s' U_k + H_{k+1}. H is the sum of the other shards' R^' U_k as of the last
exchange, a constant within a round (historical embeddings as in Fey et al., "GNNAutoScale", ICML
2021, here per item and not per neighbourhood). With one shard H is 0 and training is full-graph.
Without layers the model is plain matrix factorisation: scores are those of the parameters.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from interest_graph.arrays import Arrays
from interest_graph.train.kernels.losses import Batch, Objective, with_hardest
from interest_graph.train.kernels.sparse import both_ways, with_edges

if TYPE_CHECKING:
    import torch
    from scipy.sparse import csr_matrix


_BETA_1, _BETA_2, _EPSILON = 0.9, 0.999, 1e-8


class Adam:
    """Adam (Kingma & Ba, ICLR 2015) of one tensor.

    mean, square: running means of the gradient and of its square, shaped like the tensor; they are
    arguments, so that they can be stored between rounds. n_steps: steps taken so far.
    """

    def __init__(self, mean: torch.Tensor, square: torch.Tensor, n_steps: int) -> None:
        import torch

        self.mean, self.square, self.n_steps = mean, square, n_steps
        self._steps = torch.tensor(float(n_steps), device=mean.device)  # counted by adam()

    def step(self, value: torch.Tensor, gradient: torch.Tensor, learning_rate: float) -> None:
        """Update `value` and the moments in place."""
        from torch.optim.adam import adam

        # Fused reads and writes each array once: a quarter of the time of the formula in parts.
        adam(
            [value],
            [gradient],
            [self.mean],
            [self.square],
            [],
            [self._steps],
            fused=True,
            amsgrad=False,
            beta1=_BETA_1,
            beta2=_BETA_2,
            lr=learning_rate,
            weight_decay=0.0,
            eps=_EPSILON,
            maximize=False,
        )
        self.n_steps += 1


@dataclass
class ShardModel:
    """The parameters of one shard, their optimisers, and the matrices that propagation uses.

    R, R_t: R^_s, users x items, and its transpose, torch CSR: kept both, because autograd would
    transpose at every step. users: float32[users, d], items: float32[items, d], layer 0.
    remainders: float32[layers, items, d], H_1 ... of the module's docstring.
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
        """Number of graph convolutions, that is of layers after layer 0."""
        return len(self.remainders)

    def propagate(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Propagated vectors, the mean over all layers: users [users, d], items [items, d]."""
        import torch

        U, V = self.users, self.items
        sum_U, sum_V = U, V
        for remainder in self.remainders:
            # addmm is 4 times faster here than a product and then a sum.
            U, V = self.R @ V, torch.addmm(remainder, self.R_t, U)
            sum_U, sum_V = sum_U + U, sum_V + V
        return sum_U / (self.n_layers + 1), sum_V / (self.n_layers + 1)

    def own_parts(self) -> list[torch.Tensor]:
        """The shard's terms R^_s' U_k of the items' layers k+1 = 1, 2 ...; each [items, d]."""
        U, V = self.users, self.items
        parts = []
        for remainder in self.remainders:
            parts.append(self.R_t @ U)
            U, V = self.R @ V, parts[-1] + remainder
        return parts

    def backpropagate(
        self, at_users: torch.Tensor, at_items: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Gradients with respect to the parameters, from those of the propagated vectors.

        Propagation is linear in the parameters; its adjoint is the same recursion with R^ and R^'
        swapped. Shapes of arguments and results: [users, d], [items, d].
        """
        import torch

        G_U, G_V = at_users / (self.n_layers + 1), at_items / (self.n_layers + 1)
        dU, dV = G_U, G_V
        for _ in range(self.n_layers):
            dU, dV = torch.addmm(G_U, self.R, dV), torch.addmm(G_V, self.R_t, dU)
        return dU, dV

    @contextmanager
    def edge_dropout(self, share: float, generator: torch.Generator) -> Iterator[None]:
        """In the block, drop each edge with probability `share`, divide the rest by 1 - share.

        Wu et al., "Self-supervised graph learning for recommendation", SIGIR 2021 (edge dropout).
        """
        import torch

        R, R_t = self.R, self.R_t
        if share > 0 and self.n_layers:
            n_edges = len(R.values())
            kept = torch.rand(n_edges, generator=generator, device=generator.device) >= share
            # R_t has the edges of R in the order of their items, and within an item of their users.
            by_item = torch.argsort(R.col_indices(), stable=True)
            self.R = with_edges(R, kept, 1 / (1 - share))
            self.R_t = with_edges(R_t, kept[by_item], 1 / (1 - share))
        try:
            yield
        finally:
            self.R, self.R_t = R, R_t

    def step(self, batch: Batch, objective: Objective, learning_rate: float) -> torch.Tensor:
        """Update all parameters by one step of Adam; returns the objective before the step."""
        loss, dU, dV = self.gradients(batch, objective)
        self.user_optimiser.step(self.users, dU, learning_rate)
        self.item_optimiser.step(self.items, dV, learning_rate)
        return loss

    def gradients(
        self, batch: Batch, objective: Objective
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """The objective of a mini-batch of B pairs, and its gradients [users, d] and [items, d].

        objective = loss + weight_decay / B * sum of squares of the batch's layer-0 vectors
        """
        import torch

        final_U, final_V = self.propagate()
        batch = with_hardest(batch, final_U, final_V, similarity=objective.similarity)
        parts = final_U[batch.users], final_V[batch.positives], final_V[batch.negatives]
        gradients = objective.gradients(*parts, batch)
        at_users = torch.zeros_like(self.users).index_add_(0, batch.users, gradients.users)
        at_items = torch.zeros_like(self.items).index_add_(0, batch.positives, gradients.positives)
        at_items.index_add_(0, batch.negatives, gradients.negatives)
        dU, dV = self.backpropagate(at_users, at_items)
        penalty = self._decay(batch, dU, dV, objective.weight_decay / len(batch.users))
        _clip(dU, dV, objective.clip_norm)
        return gradients.loss + penalty, dU, dV

    def _decay(
        self, batch: Batch, dU: torch.Tensor, dV: torch.Tensor, strength: float
    ) -> torch.Tensor:
        """Add the gradient of the weight decay to dU and dV in place; returns the penalty."""
        import torch

        touched_items = torch.cat([batch.positives, batch.negatives])
        U, V = self.users[batch.users], self.items[touched_items]
        dU.index_add_(0, batch.users, U, alpha=2 * strength)
        dV.index_add_(0, touched_items, V, alpha=2 * strength)
        return strength * (U.square().sum() + V.square().sum())


def _clip(dU: torch.Tensor, dV: torch.Tensor, limit: float | None) -> None:
    """Scale both gradients, in place, so that their joint norm is at most `limit`."""
    if limit is None:
        return
    norm = (dU.square().sum() + dV.square().sum()).sqrt()
    scale = (limit / norm).clamp(max=1.0)
    dU.mul_(scale)
    dV.mul_(scale)


def load_shard(R: csr_matrix, state: Arrays, shared: Arrays, device: str) -> ShardModel:
    """Rebuild the shard's model from its state after the last round and the exchanged item state.

    R: R^_s, users x items. state: users float32[users, d]; own float32[layers * items, d], the
    shard's own terms of the items' layers; Adam's user_mean, user_square, item_mean, item_square,
    n_steps. shared: items float32[items, d]; totals, `own` summed over all shards.
    """
    n_items, dimension = shared["items"].shape
    n_layers = len(state["own"]) // n_items
    remainders = (shared["totals"] - state["own"]).reshape(n_layers, n_items, dimension)
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


def dump_shard(model: ShardModel, own: Sequence[torch.Tensor] | None = None) -> Arrays:
    """The model's state after a round, with the names and shapes that `load_shard` reads.

    own: `own_parts` before the exchange, where that is over; computed by default.
    """
    no_layer = np.empty((0, model.items.shape[1]), dtype=np.float32)
    parts = model.own_parts() if own is None else own
    return {
        "users": array(model.users),
        "own": np.concatenate([no_layer, *(array(part) for part in parts)]),
        "user_mean": array(model.user_optimiser.mean),
        "user_square": array(model.user_optimiser.square),
        "item_mean": array(model.item_optimiser.mean),
        "item_square": array(model.item_optimiser.square),
        "n_steps": np.array([model.user_optimiser.n_steps], dtype=np.int64),
    }


def first_state(users: np.ndarray, n_items: int, n_layers: int) -> Arrays:
    """The state of a shard before its first round: users float32[users, d], all else zeros."""
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
    """A float32 copy on the device; a copy, because arrays from files and Arrow are read-only."""
    import torch

    return torch.from_numpy(np.array(values, dtype=np.float32)).to(device)


def array(values: torch.Tensor) -> np.ndarray:
    """The tensor's values as a NumPy array, which shares memory with a tensor on the CPU."""
    result: np.ndarray = values.cpu().numpy()
    return result
