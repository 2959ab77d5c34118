"""What one shard does in one round of LightGCN. No Spark here."""

from __future__ import annotations

import math
import resource
import time
from dataclasses import dataclass

import numpy as np

from interest_graph.arrays import Arrays
from interest_graph.train.device import task_device
from interest_graph.train.gcn import (
    Batch,
    ShardGCN,
    array,
    dump_shard,
    first_state,
    load_shard,
)
from interest_graph.train.negatives import batches, draw_triples
from interest_graph.train.normalise import csr, normalised
from interest_graph.train.ranking import mean_ndcg, sample_users

STATE_NAMES = (
    "users",
    "own",
    "user_mean",
    "user_square",
    "item_mean",
    "item_square",
    "n_steps",
)

_REPORT = ("loss", "seconds", "peak_memory_mb", "ndcg_sum", "n_validation_users")


@dataclass(frozen=True)
class RoundPlan:
    """What every shard does in a round.

    number: the round, from 1; n_passes: times that a shard sees all its edges;
    start_scale: root mean square of the first vectors; validation_users: at most so many a shard.
    """

    n_layers: int
    n_passes: int
    batch_size: int
    learning_rate: float
    weight_decay: float
    seed: int
    start_scale: float
    validation_k: int
    validation_users: int
    number: int = 0


def start_shard(shard_id: int, shard: Arrays, shared: Arrays, *, plan: RoundPlan) -> Arrays:
    """The state before the first round: users' vectors, and the shard's part of the layers.

    shared: items float32[items, d]; users_from float32[items, d], whose projection R^ @ users_from
    is where users start, or, without it, users start at random.
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
    model = load_shard(R, state, {"items": shared["items"], "totals": nothing}, task_device())
    return dump_shard(model)


def train_shard(shard_id: int, shard: Arrays, shared: Arrays, *, plan: RoundPlan) -> Arrays:
    """Measure the shard as the last round left it, then train it for one round.

    shard: the graph's arrays and the last state; shared: items, totals and degrees.
    Returns the new state, `delta` (what the shard adds to the items' vectors) and a log; the same
    arguments give the same result, so a task may be tried again.
    """
    started = time.monotonic()
    R = normalised(shard, shared)
    model = load_shard(R, shard, shared, task_device())
    ndcg_sum, n_users = _measure(model, shard, plan)
    loss = _train(model, shard, shard_id, plan)
    delta = array(model.items) - shared["items"]
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    report = np.array([loss, time.monotonic() - started, memory, ndcg_sum, n_users])
    return {**dump_shard(model), "delta": delta, f"log_{shard_id}": report}


def report_of(log: np.ndarray) -> dict[str, float]:
    """A shard's log by name: loss, seconds, peak_memory_mb, ndcg_sum, n_validation_users."""
    return dict(zip(_REPORT, map(float, log), strict=True))


def _train(model: ShardGCN, shard: Arrays, shard_id: int, plan: RoundPlan) -> float:
    """The mean loss of the passes; stops at the first loss that is not finite."""
    import torch

    rng = np.random.default_rng((plan.seed, plan.number, shard_id))
    n_items, losses = len(model.items), []
    for _ in range(plan.n_passes):
        triples = draw_triples(shard["indptr"], shard["items"], n_items, rng)
        for batch in batches(triples, plan.batch_size):
            on_device = [torch.from_numpy(part).to(model.items.device) for part in batch]
            loss = model.step(
                Batch(*on_device), learning_rate=plan.learning_rate, weight_decay=plan.weight_decay
            )
            losses.append(loss.item())
            if not math.isfinite(losses[-1]):
                return losses[-1]
    return float(np.mean(losses)) if losses else 0.0


def _measure(model: ShardGCN, shard: Arrays, plan: RoundPlan) -> tuple[float, int]:
    """Sum of NDCG over the shard's validation users, and their number."""
    n_held_out = np.diff(shard["held_indptr"])
    users = sample_users(n_held_out, at_most=plan.validation_users, seed=plan.seed)
    if not len(users):
        return 0.0, 0
    U, V, _ = (array(part) if not isinstance(part, list) else part for part in model.propagate())
    n_items = len(V)
    seen, held_out = csr(shard, n_items), csr(shard, n_items, "held_")
    mean = mean_ndcg(lambda rows: U[rows] @ V.T, seen, held_out, n_held_out, users, plan.validation_k)
    return mean * len(users), len(users)

