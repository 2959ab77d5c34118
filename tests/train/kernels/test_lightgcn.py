"""One shard is plain full-graph LightGCN; many shards exchange what they lack."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from tests.train.graphs import random_matrix, symmetric
from torch_geometric.nn import LightGCN

from interest_graph.train.kernels.lightgcn import first_state, load_shard
from interest_graph.train.kernels.losses import Objective
from interest_graph.train.kernels.negative_sampling import Sampler, generator_of
from interest_graph.train.kernels.sparse import gram_product, normalised
from interest_graph.train.kernels.worker_epoch import (
    EpochPlan,
    report_of,
    start_shard,
    train_shard,
)

PLAN = EpochPlan(
    n_layers=3,
    n_passes=2,
    batch_size=32,
    learning_rate=0.02,
    seed=3,
    start_scale=0.1,
    validation_k=5,
    validation_users=100,
    objective=Objective(weight_decay=1e-3),
)
N_USERS, N_ITEMS, DIMENSION = 30, 20, 8
"""Sizes of the graph."""


@pytest.fixture(scope="module")
def matrix():
    return random_matrix(N_USERS, N_ITEMS, 0.2, seed=1)


def as_shard(matrix):
    nothing = {"held_indptr": np.zeros(matrix.shape[0] + 1, np.int64)}
    empty = {"held_items": np.empty(0, np.int32), "held_weights": np.empty(0, np.float32)}
    indptr, items = matrix.indptr.astype(np.int64), matrix.indices.astype(np.int32)
    return {"indptr": indptr, "items": items, "weights": matrix.data, **nothing, **empty}


def run_rounds(matrix, shards_of_users, items, n_rounds):
    """The loop of the driver in plain NumPy; returns the item arrays and the shards' states."""
    degrees = np.asarray(matrix.sum(axis=0, dtype=np.float64)).ravel()
    parts = [as_shard(matrix[users]) for users in shards_of_users]
    shared = {"items": items, "degrees": degrees}
    states = [start_shard(s, part, shared, plan=PLAN) for s, part in enumerate(parts)]
    for number in range(1, n_rounds + 1):
        shared["totals"] = np.sum([state["own"] for state in states], axis=0)
        plan = replace(PLAN, number=number)
        states = [
            train_shard(s, {**part, **state}, shared, plan=plan)
            for s, (part, state) in enumerate(zip(parts, states, strict=True))
        ]
        shared["items"] = shared["items"] + np.sum([state["delta"] for state in states], axis=0)
    return shared["items"], states


def test_one_shard_equals_full_graph_lightgcn_of_pyg(matrix):
    rng = np.random.default_rng(0)
    items = rng.normal(0, 0.1, (N_ITEMS, DIMENSION)).astype(np.float32)

    trained_items, (state,) = run_rounds(matrix, [np.arange(N_USERS)], items, n_rounds=3)

    users = np.random.default_rng((PLAN.seed, 0)).standard_normal(
        (N_USERS, DIMENSION), dtype=np.float32
    )
    expected = train_with_pyg(matrix, PLAN.start_scale * users, items, n_rounds=3)
    np.testing.assert_allclose(state["users"], expected[:N_USERS], atol=1e-5)
    np.testing.assert_allclose(trained_items, expected[N_USERS:], atol=1e-5)
    assert np.abs(trained_items - items).max() > 0.1  # training has moved them


def train_with_pyg(matrix, users, items, n_rounds):
    """torch_geometric's own LightGCN and loss, with torch's Adam, on the same batches."""
    cells = matrix.tocoo()
    one_way = np.stack([cells.row, cells.col + N_USERS])
    edges = torch.from_numpy(np.concatenate([one_way, one_way[::-1]], axis=1).astype(np.int64))
    weights = torch.from_numpy(np.concatenate([cells.data, cells.data]))
    model = LightGCN(N_USERS + N_ITEMS, DIMENSION, PLAN.n_layers)
    model.embedding.weight.data = torch.from_numpy(np.concatenate([users, items]))
    optimiser = torch.optim.Adam(model.parameters(), lr=PLAN.learning_rate)
    for number in range(1, n_rounds + 1):
        sampler = sampler_of(matrix, seed=(PLAN.seed, number, 0))
        for _ in range(PLAN.n_passes):
            for batch in sampler.batches(PLAN.drawing):
                u, i, j = batch.users, batch.positives + N_USERS, batch.negatives + N_USERS
                labels = torch.stack([torch.cat([u, u]), torch.cat([i, j])])
                positive, negative = model(edges, labels, weights).chunk(2)
                ids = torch.cat([u, i, j])
                loss = model.recommendation_loss(
                    positive, negative, ids, PLAN.objective.weight_decay
                )
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
    return model.embedding.weight.detach().numpy()


def test_after_an_exchange_every_shard_sees_the_whole_graph(matrix):
    """With two layers one exchange is exact: no shard's view lacks a neighbour."""
    degrees = np.asarray(matrix.sum(axis=0, dtype=np.float64)).ravel()
    items = np.random.default_rng(0).normal(size=(N_ITEMS, DIMENSION)).astype(np.float32)
    parts = [as_shard(matrix[s::3]) for s in range(3)]
    plan = replace(PLAN, n_layers=2)

    states = [
        start_shard(s, part, {"items": items, "degrees": degrees}, plan=plan)
        for s, part in enumerate(parts)
    ]

    users = np.empty((N_USERS, DIMENSION), np.float32)
    for s, state in enumerate(states):
        users[s::3] = state["users"]
    R = symmetric(matrix)
    exact = np.concatenate([R.T @ users, R.T @ (R @ items)])
    np.testing.assert_allclose(sum(state["own"] for state in states), exact, atol=1e-5)


@pytest.mark.parametrize("similarity", ["dot", "cosine"])
@pytest.mark.parametrize(
    ("loss", "n_candidates"), [("bpr", 1), ("bpr", 4), ("softmax", 1), ("bsl", 1)]
)
def test_gradients_match_finite_differences(matrix, loss, n_candidates, similarity):
    model, batch = small_model(matrix, loss, n_candidates)
    objective = Objective(
        loss=loss, similarity=similarity, temperature=0.7, power=0.9, weight_decay=0.1
    )

    _, dU, dV = model.gradients(batch, objective)

    for parameter, gradient in ((model.users, dU), (model.items, dV)):
        for cell in ((0, 0), (5, 3), (11, 7)):
            slope = slope_at(model, batch, objective, parameter, cell)
            assert gradient[cell].item() == pytest.approx(slope, abs=3e-4)


def small_model(matrix, loss, n_candidates=1):
    degrees = np.asarray(matrix.sum(axis=0, dtype=np.float64)).ravel()
    rng = np.random.default_rng(4)
    users = rng.normal(size=(N_USERS, DIMENSION)).astype(np.float32)
    items = rng.normal(size=(N_ITEMS, DIMENSION)).astype(np.float32)
    others = rng.normal(size=(3 * N_ITEMS, DIMENSION)).astype(np.float32)
    R = normalised(as_shard(matrix), {"degrees": degrees})
    model = load_shard(R, first_state(users, N_ITEMS, 3), {"items": items, "totals": others}, "cpu")
    drawing = {"n_negatives": 9, "n_candidates": n_candidates, "batch_size": 64}
    plan = replace(PLAN, objective=Objective(loss=loss), **drawing)
    return model, next(sampler_of(matrix).batches(plan.drawing))


def sampler_of(matrix, seed=4):
    return Sampler(matrix.indptr.astype(np.int64), matrix.indices, N_ITEMS, seed=seed)


def slope_at(model, batch, objective, parameter, cell, width=1e-2):
    losses = []
    for shift in (width, -2 * width):
        parameter[cell] += shift
        losses.append(model.gradients(batch, objective)[0].item())
    parameter[cell] += width
    return (losses[0] - losses[1]) / (2 * width)


def test_no_candidate_is_an_item_of_its_user(matrix):
    _, batch = small_model(matrix, "bpr", n_candidates=4)

    known = matrix.toarray() > 0
    assert batch.negatives.shape == (len(batch.users), 4)
    assert not known[batch.users[:, None], batch.negatives].any()


def test_clipping_bounds_the_norm_and_keeps_the_direction(matrix):
    model, batch = small_model(matrix, "bpr")

    _, dU, dV = model.gradients(batch, Objective())
    _, clipped_U, clipped_V = model.gradients(batch, Objective(clip_norm=1e-3))

    norm = torch.cat([clipped_U, clipped_V]).norm().item()
    assert norm == pytest.approx(1e-3, rel=1e-4)
    whole = torch.cat([dU, dV])
    np.testing.assert_allclose(
        torch.cat([clipped_U, clipped_V]) / norm, whole / whole.norm(), atol=1e-5
    )


def test_dropout_keeps_the_expected_propagation_and_ends_with_the_pass(matrix):
    model, _ = small_model(matrix, "bpr")
    whole = model.R.to_dense()
    generator = generator_of(0, "cpu")

    dropped = []
    for _ in range(300):
        with model.edge_dropout(0.4, generator):
            dropped.append(model.R.to_dense())
            torch.testing.assert_close(model.R_t.to_dense(), dropped[-1].T)

    share = np.mean([(part == 0)[whole > 0].float().mean().item() for part in dropped])
    assert share == pytest.approx(0.4, abs=0.02)
    torch.testing.assert_close(torch.stack(dropped).mean(dim=0), whole, atol=0.1, rtol=0)
    torch.testing.assert_close(model.R.to_dense(), whole)


def test_a_products_device_does_not_change_it(matrix):
    R = normalised(as_shard(matrix), {"degrees": np.asarray(matrix.sum(axis=0)).ravel()})
    Y = np.random.default_rng(0).normal(size=(N_ITEMS, 3)).astype(np.float32)

    on_cpu, on_device = (gram_product(R, Y, device) for device in ("cpu", "cpu:0"))

    np.testing.assert_allclose(on_cpu, R.toarray().T @ (R.toarray() @ Y), atol=1e-6)
    np.testing.assert_allclose(on_device, on_cpu, atol=1e-6)


def test_without_layers_it_is_matrix_factorisation(matrix):
    model, batch = small_model(matrix, "bpr")
    objective = Objective(weight_decay=0.1)
    model.remainders = model.remainders[:0]

    loss, dU, dV = model.gradients(batch, objective)

    U, V = (x.clone().requires_grad_() for x in (model.users, model.items))
    u, i, j = U[batch.users], V[batch.positives], V[batch.negatives]
    squares = sum(x.square().sum() for x in (u, i, j)) / len(u)
    expected = -torch.nn.functional.logsigmoid((u * (i - j)).sum(1)).mean() + 0.1 * squares
    expected.backward()
    torch.testing.assert_close(loss, expected.detach())
    torch.testing.assert_close(dU, U.grad)
    torch.testing.assert_close(dV, V.grad)


@pytest.mark.parametrize("changes", [{}, {"n_layers": 0}, {"dropout": 0.3}, {"n_candidates": 3}])
def test_a_retried_task_returns_what_the_first_one_did(matrix, changes):
    plan = replace(PLAN, number=1, **changes)
    degrees = np.asarray(matrix.sum(axis=0, dtype=np.float64)).ravel()
    shared = {"items": np.ones((N_ITEMS, DIMENSION), np.float32), "degrees": degrees}
    shard = as_shard(matrix)
    state = start_shard(0, shard, shared, plan=plan)
    shared["totals"] = state["own"]

    first, again = (train_shard(0, {**shard, **state}, shared, plan=plan) for _ in range(2))

    assert len(first["own"]) == plan.n_layers * N_ITEMS
    assert np.abs(first["delta"]).max() > 0
    for name in (*state, "delta"):
        np.testing.assert_array_equal(first[name], again[name])


def test_a_diverging_shard_reports_its_loss_instead_of_training_on(matrix):
    degrees = np.asarray(matrix.sum(axis=0, dtype=np.float64)).ravel()
    items = np.full((N_ITEMS, DIMENSION), np.inf, np.float32)
    shard = as_shard(matrix)
    state = start_shard(0, shard, {"items": items, "degrees": degrees}, plan=PLAN)

    shared = {"items": items, "totals": state["own"], "degrees": degrees}
    log = train_shard(0, {**shard, **state}, shared, plan=PLAN)["log_0"]

    assert not np.isfinite(report_of(log)["loss"])
