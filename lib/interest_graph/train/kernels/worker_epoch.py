"""One round of LightGCN on one shard, as the worker runs it. No Spark here."""

from __future__ import annotations

import math
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from interest_graph.arrays import Arrays
from interest_graph.device import (
    device_of_shard,
    keep_freed_memory,
    naming_out_of_memory,
    repeatable,
)
from interest_graph.train.kernels.lightgcn import (
    ShardModel,
    array,
    dump_shard,
    first_state,
    load_shard,
)
from interest_graph.train.kernels.losses import Objective
from interest_graph.train.kernels.negative_sampling import Drawing, Sampler, chances_of
from interest_graph.train.kernels.ranking import ndcg_sum, sample_users
from interest_graph.train.kernels.sparse import CSR_NAMES, HELD_NAMES, csr, normalised

if TYPE_CHECKING:
    import torch


STATE_NAMES = (
    "users",
    "own",
    "user_mean",
    "user_square",
    "item_mean",
    "item_square",
    "n_steps",
)

# Reading a loss waits for the device; a diverging round ends after so many steps at most.
_STEPS_PER_CHECK = 32
_REPORT = ("loss", "seconds", "peak_memory_mb", "ndcg_sum", "n_validation_users")


@dataclass(frozen=True)
class EpochPlan:
    """Settings of one round, the same for every shard.

    number: the round, from 1; n_passes: passes over the shard's edges; start_scale: root mean
    square of the first vectors; validation_k, validation_users: NDCG@k is measured on at most so
    many users a shard; score: dot or cosine, of the final vectors; negatives: uniform, popularity
    or in_batch; n_negatives: draws of the pool of softmax and bsl; corrects_draws: whether softmax
    corrects for how often a pool item is drawn; n_candidates: drawn for each pair, BPR takes the
    one that scores highest as the negative; dropout: share of the edges that a pass drops from
    propagation; precision: of float32 matrix products, as torch.set_float32_matmul_precision names
    it (below highest, a GPU multiplies in TF32); deterministic: the same result on a GPU too.
    """

    n_layers: int
    n_passes: int
    batch_size: int
    learning_rate: float
    seed: int
    start_scale: float
    validation_k: int
    validation_users: int
    objective: Objective = field(default_factory=Objective)
    score: str = "dot"
    negatives: str = "uniform"
    n_negatives: int = 1
    corrects_draws: bool = True
    n_candidates: int = 1
    dropout: float = 0.0
    precision: str = "highest"
    deterministic: bool = False
    number: int = 0

    @property
    def drawing(self) -> Drawing:
        """How mini-batches and their negatives are drawn."""
        has_pool = self.objective.wants_pool
        return Drawing(
            batch_size=self.batch_size,
            n_candidates=1 if has_pool else self.n_candidates,
            pool_size=self.n_negatives if has_pool else None,
            of_batch=self.negatives == "in_batch",
            corrects=self.corrects_draws and self.objective.loss == "softmax",
        )


def start_shard(shard_id: int, shard: Arrays, shared: Arrays, *, plan: EpochPlan) -> Arrays:
    """The shard's state before the first round, as `dump_shard` returns it.

    shared: items float32[items, d], the items' first vectors, and the degrees. Users start at
    R^_s @ users_from where shared has users_from float32[items, d], otherwise at random vectors
    that depend on plan.seed and shard_id alone.
    """
    R = normalised(shard, shared)
    n_items, dimension = shared["items"].shape
    if "users_from" in shared:
        users = R @ shared["users_from"]
    else:
        rng = np.random.default_rng((plan.seed, shard_id))
        users = plan.start_scale * rng.standard_normal((R.shape[0], dimension), dtype=np.float32)
    state = first_state(users.astype(np.float32), n_items, plan.n_layers)
    nothing = np.zeros_like(state["own"])
    first = {"items": shared["items"], "totals": nothing}
    model = load_shard(R, state, first, device_of_shard(shard_id))
    return dump_shard(model)


def train_shard(shard_id: int, shard: Arrays, shared: Arrays, *, plan: EpochPlan) -> Arrays:
    """Measure the shard's NDCG after the last round, then train it for one round.

    shard: the shard's edges and held-out pairs, and its last state; shared: items, totals and
    degrees. Returns the new state (`dump_shard`), `delta` float32[items, d], the change of the
    items' vectors, and `log_<shard_id>`, read by `report_of`. The same arguments give the same
    result, so Spark may retry the task.
    """
    kept = KeptShard(shard_id, shard, shared)
    kept.measure(plan)
    kept.train(plan)
    delta = array(kept.model.items) - shared["items"]
    return {**dump_shard(kept.model), "delta": delta, f"log_{shard_id}": kept.log()}


class KeptShard:
    """A shard in a worker's memory: its edges, R^_s on the device, and the model.

    shard, shared: as for `train_shard`. A round is `measure`, `train`, then an exchange: the sums
    over all shards of `own_parts` and of the change of the items go to `receive`.
    """

    def __init__(self, shard_id: int, shard: Arrays, shared: Arrays) -> None:
        self._started = time.monotonic()
        keep_freed_memory()
        self.shard_id = shard_id
        # Copies: views would keep all that Arrow received, the last state included.
        self._edges = {name: np.array(shard[name]) for name in (*CSR_NAMES, *HELD_NAMES)}
        self._shared = {"degrees": shared["degrees"]}
        self.device = device_of_shard(shard_id)
        with naming_out_of_memory(shard_id):
            self.model = load_shard(normalised(shard, shared), shard, shared, self.device)
        self._report = dict.fromkeys(_REPORT, 0.0)

    def measure(self, plan: EpochPlan) -> None:
        """NDCG after the last round, for `log`; a round starts here."""
        with naming_out_of_memory(self.shard_id):
            ndcg_sum, n_users = _measure(self.model, self._edges, plan)
        self._report |= {"ndcg_sum": ndcg_sum, "n_validation_users": n_users}

    def train(self, plan: EpochPlan) -> None:
        """Train for one round."""
        with naming_out_of_memory(self.shard_id), _matmul_precision(plan.precision):
            loss = _train(self.model, self._edges, self._shared, self.shard_id, plan)
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        seconds = time.monotonic() - self._started
        self._report |= {"loss": loss, "seconds": seconds, "peak_memory_mb": memory}

    def log(self) -> np.ndarray:
        """What was measured and trained last, float64[5], read by `report_of`."""
        return np.array([self._report[name] for name in _REPORT])

    def own_parts(self) -> list[torch.Tensor]:
        """The shard's terms of the items' layers after this round, to be summed over shards."""
        self._own = self.model.own_parts()
        return self._own

    def receive(self, items: torch.Tensor, totals: torch.Tensor) -> None:
        """Take over the items' vectors [items, d] and the sums of all shards' `own_parts`.

        totals: [layers, items, d]. The next round starts.
        """
        import torch

        self._started = time.monotonic()
        self.model.items.copy_(items)
        self.model.remainders = totals - torch.stack(self._own) if self._own else totals

    def state(self) -> Arrays:
        """The state after the last exchange, as `train_shard` returns it."""
        return dump_shard(self.model, self._own)


def report_of(log: np.ndarray) -> dict[str, float]:
    """A shard's log by name: loss, seconds, peak_memory_mb, ndcg_sum, n_validation_users."""
    return dict(zip(_REPORT, map(float, log), strict=True))


@contextmanager
def _matmul_precision(precision: str) -> Iterator[None]:
    """Set torch's precision of float32 products in the block; later tasks find it reset."""
    import torch

    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision(precision)
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


def _train(
    model: ShardModel, shard: Arrays, shared: Arrays, shard_id: int, plan: EpochPlan
) -> float:
    """Train for plan.n_passes; returns the mean loss, or one that is not finite at the first."""
    seed = (plan.seed, plan.number, shard_id)
    chances = chances_of(plan.negatives, shared["degrees"])
    sampler = Sampler(
        shard["indptr"],
        shard["items"],
        len(model.items),
        chances,
        seed=seed,
        device=model.items.device,
    )
    losses = _Losses(model.items.device)
    for _ in range(plan.n_passes):
        with repeatable(plan.deterministic), model.edge_dropout(plan.dropout, sampler.generator):
            for batch in sampler.batches(plan.drawing):
                losses.add(model.step(batch, plan.objective, plan.learning_rate))
                if losses.are_not_finite():
                    return losses.mean()
    return losses.mean()


class _Losses:
    """Sum of the losses of a round's steps, kept on the device: reading it makes a step wait."""

    def __init__(self, device: torch.device) -> None:
        import torch

        self.n, self.sum = 0, torch.zeros((), dtype=torch.float64, device=device)

    def add(self, loss: torch.Tensor) -> None:
        """Add the loss of one step."""
        self.sum += loss
        self.n += 1

    def are_not_finite(self) -> bool:
        """Whether a loss so far was not finite; looks at every 32nd step alone."""
        return self.n % _STEPS_PER_CHECK == 0 and not math.isfinite(self.sum.item())

    def mean(self) -> float:
        """Mean of the losses, 0 without any; not finite where one of them was not."""
        return self.sum.item() / max(self.n, 1)


def _measure(model: ShardModel, shard: Arrays, plan: EpochPlan) -> tuple[float, int]:
    """Sum of NDCG@k over a sample of the shard's users with held-out pairs, and their number."""
    import torch

    n_held_out = np.diff(shard["held_indptr"])
    users = sample_users(n_held_out, at_most=plan.validation_users, seed=plan.seed)
    if not len(users):
        return 0.0, 0
    U, V = model.propagate()
    if plan.score == "cosine":
        V = torch.nn.functional.normalize(V)  # a user's length does not change the order
    n_items = len(V)
    seen, held_out = csr(shard, n_items)[users], csr(shard, n_items, "held_")[users]
    of_users = U[torch.from_numpy(users).to(U.device)]
    return ndcg_sum(of_users, V, seen, held_out, plan.validation_k), len(users)
