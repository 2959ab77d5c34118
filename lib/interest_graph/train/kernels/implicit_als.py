"""Matrix factorisation of implicit feedback by alternating least squares, in torch. No Spark here.

Hu, Koren, Volinsky, "Collaborative filtering for implicit feedback datasets", ICDM 2008. Minimised
is, with w the weights divided by their mean,

    sum over u, i of c_ui (p_ui - <x_u, y_i>)^2  +  reg (sum_u n_u |x_u|^2 + sum_i n_i |y_i|^2)

p_ui being 1 where there is a pair and else 0, c_ui = 1 + alpha w_ui, and n the pairs of a user or
item, as in MLlib (Zhou et al., "Large-scale parallel collaborative filtering for the Netflix
prize", AAIM 2008). Each half step improves all users, or all items, by a few steps of the conjugate
gradient method from where they are: Takacs, Pilaszy, Tikk, "Applications of the conjugate gradient
method for implicit feedback collaborative filtering", RecSys 2011. A step costs two passes over the
pairs, where a direct solution costs d for each.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from scipy import sparse

from interest_graph.device import task_device
from interest_graph.train.kernels.sparse import both_ways

if TYPE_CHECKING:
    import torch

Floats = npt.NDArray[np.float32]

_STEPS = 3  # of conjugate gradients in a half step; with 5 nothing was gained
_PAIRS_AT_A_TIME = 4096  # whose vectors are gathered: they stay in the processor's cache
_START = 0.1  # standard deviation of the items' first vectors
_TINY = 1e-20


@dataclass(frozen=True)
class AlsSettings:
    """dimension: d, length of a vector; alpha, regularization: see the module; iterations: over
    users and items.
    """

    dimension: int
    alpha: float
    regularization: float
    iterations: int


def implicit_factors(
    matrix: sparse.csr_matrix, settings: AlsSettings, *, seed: int = 0
) -> tuple[Floats, Floats]:
    """Vectors of users and items, float32 [n_users, d] and [n_items, d]; score: <x_u, y_i>.

    matrix: weights > 0, float32 [n_users, n_items]. Computed on the task's GPU if it has one.
    """
    import torch

    device = task_device()
    by_mean = (matrix / matrix.data.mean()).tocsr().astype(np.float32)
    sides = [_side(pairs, settings) for pairs in both_ways(by_mean, device)]
    start = np.random.default_rng(seed).standard_normal((matrix.shape[1], settings.dimension))
    Y = torch.from_numpy((start * _START).astype(np.float32)).to(device)
    X = torch.zeros(matrix.shape[0], settings.dimension, device=device)
    for _ in range(settings.iterations):
        X = sides[0].improved(X, Y)
        Y = sides[1].improved(Y, X)
    return X.cpu().numpy(), Y.cpu().numpy()


@dataclass(frozen=True)
class _Side:
    """The least squares problems of all rows, users or items, given the others' vectors.

    target: c_ui at the pairs, torch CSR [rows, columns]; rows: int64[pairs], of each pair;
    ridge: reg n, [rows, 1].
    """

    target: torch.Tensor
    rows: torch.Tensor
    ridge: torch.Tensor

    def improved(self, X: torch.Tensor, Y: torch.Tensor) -> torch.Tensor:
        """X after _STEPS steps of conjugate gradients, for each row on its own."""
        gram = Y.T @ Y
        residual = self.target @ Y - self._applied(X, Y, gram)
        direction, size = residual, (residual**2).sum(1, keepdim=True)
        for _ in range(_STEPS):
            image = self._applied(direction, Y, gram)
            length = size / ((direction * image).sum(1, keepdim=True) + _TINY)
            X = X + length * direction
            residual = residual - length * image
            before, size = size, (residual**2).sum(1, keepdim=True)
            direction = residual + size / (before + _TINY) * direction
        return X

    def _applied(self, P: torch.Tensor, Y: torch.Tensor, gram: torch.Tensor) -> torch.Tensor:
        """Each row's matrix (Y'Y + sum over its pairs of (c - 1) y y' + ridge I) times its P."""
        import torch

        columns, confidence = self.target.col_indices(), self.target.values()
        products = torch.empty_like(confidence)
        for start in range(0, len(products), _PAIRS_AT_A_TIME):
            part = slice(start, start + _PAIRS_AT_A_TIME)
            left, right = P.index_select(0, self.rows[part]), Y.index_select(0, columns[part])
            products[part] = torch.linalg.vecdot(left, right)
        beyond = torch.sparse_csr_tensor(
            self.target.crow_indices(), columns, (confidence - 1) * products, self.target.shape
        )
        return P @ gram + beyond @ Y + self.ridge * P


def _side(pairs: torch.Tensor, settings: AlsSettings) -> _Side:
    import torch

    starts, columns = pairs.crow_indices(), pairs.col_indices()
    confidence = 1 + settings.alpha * pairs.values()
    n_pairs = starts.diff()
    rows = torch.repeat_interleave(torch.arange(len(n_pairs), device=pairs.device), n_pairs)
    return _Side(
        target=torch.sparse_csr_tensor(starts, columns, confidence, pairs.shape),
        rows=rows,
        ridge=settings.regularization * n_pairs[:, None].float(),
    )
