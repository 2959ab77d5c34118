"""Singular vectors by products alone agree with NumPy's."""

from __future__ import annotations

import numpy as np
import pytest

from interest_graph.train.kernels.krylov import leading_spectrum


@pytest.mark.parametrize(("n_items", "dimension"), [(120, 8), (20, 32), (3, 3), (1, 4)])
def test_leading_values_and_vectors_match_numpy(n_items, dimension):
    R = np.random.default_rng(n_items).standard_normal((40, n_items)).astype(np.float32)
    R /= np.linalg.norm(R, 2)

    found = leading_spectrum(lambda Y: R.T @ (R @ Y), n_items, dimension, n_products=8)

    k = min(dimension, n_items, 40)
    expected = np.linalg.svd(R, compute_uv=False)[:k] ** 2
    np.testing.assert_allclose(found.values[:k], expected, atol=1e-5)
    residual = R.T @ (R @ found.vectors) - found.vectors * found.values
    assert np.abs(residual).max() < 1e-3
    np.testing.assert_allclose(
        found.vectors.T @ found.vectors, np.eye(found.vectors.shape[1]), atol=1e-5
    )


def test_a_graph_of_low_rank_needs_one_product():
    R = np.random.default_rng(0).standard_normal((50, 3)) @ np.ones((3, 30))
    products = []

    found = leading_spectrum(
        lambda Y: products.append(1) or (R.T @ (R @ Y)).astype(np.float32), 30, 4, n_products=6
    )

    np.testing.assert_allclose(found.values[0], np.linalg.norm(R, 2) ** 2, rtol=1e-5)
    assert len(products) < 6
