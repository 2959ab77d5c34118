"""Sparse matrices between SciPy and torch, whose product with a dense one is the faster."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch
    from scipy.sparse import csr_matrix


def to_torch(matrix: csr_matrix, device: str) -> torch.Tensor:
    """A SciPy CSR matrix as a torch one."""
    import torch

    # Torch calls its CSR tensors a beta in every process; the one product used here is exact.
    warnings.filterwarnings("ignore", message="Sparse (CSR|invariant)")
    return torch.sparse_csr_tensor(
        torch.from_numpy(matrix.indptr.astype(np.int32)),
        torch.from_numpy(matrix.indices.astype(np.int32)),
        torch.from_numpy(matrix.data.astype(np.float32)),
        size=matrix.shape,
        device=device,
    )


def both_ways(matrix: csr_matrix, device: str) -> tuple[torch.Tensor, torch.Tensor]:
    """The matrix and its transposed copy."""
    return to_torch(matrix, device), to_torch(matrix.T.tocsr(), device)


def as_scipy(matrix: torch.Tensor) -> csr_matrix:
    """A copy of a torch CSR matrix as SciPy's."""
    from scipy.sparse import csr_matrix

    parts = (matrix.values(), matrix.col_indices(), matrix.crow_indices())
    return csr_matrix(tuple(part.cpu().numpy().copy() for part in parts), tuple(matrix.shape))
