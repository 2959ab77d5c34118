"""The losses and their gradients equal torch's own, by its automatic differentiation."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from interest_graph.train.kernels.losses import (
    Batch,
    Objective,
    Pool,
    bilateral_softmax,
    personalised_ranking,
    sampled_softmax,
    with_hardest,
)

N_PAIRS, N_POOL, DIMENSION = 12, 7, 5
SEEN = torch.rand(4, N_POOL, generator=torch.Generator().manual_seed(1)) < 0.3


@pytest.fixture
def vectors():
    generator = torch.Generator().manual_seed(3)
    options = {"generator": generator, "dtype": torch.float64}
    U, V = torch.randn(2, N_PAIRS, DIMENSION, **options)
    owners = torch.arange(N_PAIRS) // 3
    # Pairs of the same user have the same vector, as in a batch.
    U = U[owners * 3].requires_grad_()
    N = torch.randn(N_POOL, DIMENSION, **options, requires_grad=True)
    return U, V.requires_grad_(), N, owners


def pool_of(owners, seen):
    firsts = torch.from_numpy(np.unique(owners, return_index=True)[1])
    return Pool(firsts, owners, seen, torch.linspace(-1, 1, N_POOL, dtype=torch.float64))


def test_softmax_is_the_cross_entropy_of_every_pair_with_the_pool(vectors):
    U, V, N, owners = vectors
    pool = pool_of(owners, SEEN)

    gradients = sampled_softmax(U.detach(), V.detach(), N.detach(), pool, temperature=0.7)

    against = (U @ N.T / 0.7 + pool.log_weights).masked_fill(SEEN[owners], -torch.inf)
    logits = torch.cat([(U * V).sum(dim=1, keepdim=True) / 0.7, against], dim=1)
    expected = torch.nn.functional.cross_entropy(logits, torch.zeros(N_PAIRS, dtype=torch.long))
    assert_gradients(gradients, expected, U, V, N, owners)


@pytest.mark.parametrize("power", [1.0, 0.84, 1.22])
def test_bilateral_softmax_matches_automatic_differentiation(vectors, power):
    U, V, N, owners = vectors
    pool = pool_of(owners, SEEN)

    gradients = bilateral_softmax(*(x.detach() for x in (U, V, N)), pool, 0.3, power)

    against = (U @ N.T / 0.3 + pool.log_weights).exp() * ~SEEN[owners]
    share = ((U * V).sum(dim=1) / 0.3).exp() / against.sum(dim=1) ** power
    assert_gradients(gradients, -share.log().mean(), U, V, N, owners)


@pytest.mark.parametrize("similarity", ["dot", "cosine"])
def test_gradients_through_the_similarity_match_automatic_differentiation(vectors, similarity):
    U, V, N, owners = vectors
    pool = pool_of(owners, SEEN)
    objective = Objective(loss="bsl", similarity=similarity, temperature=0.5, power=0.9)

    gradients = objective.gradients(
        *(x.detach() for x in (U, V, N)), Batch(owners, owners, owners, pool)
    )

    unit = torch.nn.functional.normalize if similarity == "cosine" else lambda x: x
    against = (unit(U) @ unit(N).T / 0.5 + pool.log_weights).masked_fill(SEEN[owners], -torch.inf)
    terms = 0.9 * against.logsumexp(dim=1) - (unit(U) * unit(V)).sum(dim=1) / 0.5
    assert_gradients(gradients, terms.mean(), U, V, N, owners)


def assert_gradients(gradients, expected, U, V, N, owners):
    """Those of U count by user: what comes from the pool is given to a user's first pair."""
    expected.backward()
    torch.testing.assert_close(gradients.loss, expected.detach())
    torch.testing.assert_close(gradients.positives, V.grad)
    torch.testing.assert_close(gradients.negatives, N.grad)
    per_user = torch.zeros(2, 4, DIMENSION, dtype=torch.float64).index_add_(
        1, owners, torch.stack([gradients.users, U.grad])
    )
    torch.testing.assert_close(per_user[0], per_user[1])


def test_cosine_ignores_lengths_and_never_changes_them(vectors):
    U, V, N, owners = (vector.detach() for vector in vectors)
    batch = Batch(owners, owners, owners, pool_of(owners, torch.zeros(4, N_POOL, dtype=torch.bool)))
    objective = Objective(loss="softmax", similarity="cosine", temperature=0.2)

    gradients = objective.gradients(U, V, N, batch)
    longer = objective.gradients(2 * U, 3 * V, 4 * N, batch)

    torch.testing.assert_close(longer.loss, gradients.loss)
    torch.testing.assert_close(longer.positives * 3, gradients.positives)
    torch.testing.assert_close(
        (gradients.negatives * N).sum(dim=1), torch.zeros(N_POOL).double(), atol=1e-12, rtol=0
    )
    assert gradients.negatives.abs().max() > 1e-3


@pytest.mark.parametrize("loss", ["softmax", "bsl"])
def test_a_user_who_has_the_whole_pool_learns_nothing_from_it(vectors, loss):
    U, V, N, owners = (vector.detach() for vector in vectors)
    pool = pool_of(owners, torch.tensor([True, False, False, False])[:, None].repeat(1, N_POOL))

    objective = Objective(loss=loss, power=0.8)

    gradients = objective.gradients(U, V, N, Batch(owners, owners, owners, pool))

    assert abs(gradients.loss) < 10
    assert not gradients.users[:3].any()
    assert not gradients.positives[:3].any()
    assert gradients.users[3:].any()
    assert all(
        torch.isfinite(part).all()
        for part in (gradients.loss, gradients.users, gradients.negatives)
    )


def test_personalised_ranking_matches_automatic_differentiation(vectors):
    U, V, _, _ = vectors
    N = torch.roll(V.detach(), 1, dims=0).requires_grad_()

    gradients = personalised_ranking(U.detach(), V.detach(), N.detach())

    loss = -torch.nn.functional.logsigmoid((U * (V - N)).sum(dim=1)).mean()
    loss.backward()
    torch.testing.assert_close(gradients.loss, loss.detach())
    for gradient, parameter in zip(
        (gradients.users, gradients.positives, gradients.negatives), (U, V, N), strict=True
    ):
        torch.testing.assert_close(gradient, parameter.grad)


def test_the_candidate_that_scores_highest_for_its_user_is_the_negative():
    U = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    V = torch.tensor([[0.0, 0.0], [3.0, 1.0], [2.0, 2.0]])
    candidates = torch.tensor([[0, 1, 2], [0, 1, 2], [0, 0, 0]])
    batch = Batch(torch.tensor([0, 1, 1]), torch.tensor([0, 0, 0]), candidates)

    assert with_hardest(batch, U, V).negatives.tolist() == [1, 2, 0]


def test_a_long_candidate_is_no_harder_by_cosine():
    V = torch.tensor([[0.0, 9.0], [5.0, 5.0], [1.0, 0.1]])
    batch = Batch(torch.tensor([0]), torch.tensor([0]), torch.tensor([[1, 2]]))

    hardest = with_hardest(batch, torch.tensor([[1.0, 0.0]]), V, similarity="cosine")

    assert hardest.negatives.tolist() == [2]


def test_a_pair_without_a_choice_keeps_its_negative():
    batch = Batch(torch.tensor([0]), torch.tensor([0]), torch.tensor([1]))

    assert with_hardest(batch, torch.ones(1, 2), torch.ones(2, 2)) is batch
