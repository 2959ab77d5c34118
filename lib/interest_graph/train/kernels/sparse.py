"""The user-item matrix of one shard, scaled by degrees, in SciPy and in torch. No Spark here."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from interest_graph.arrays import Arrays

if TYPE_CHECKING:
    import torch
    from scipy.sparse import csr_matrix


CSR_NAMES = ("indptr", "items", "weights")
HELD_NAMES = tuple(f"held_{name}" for name in CSR_NAMES)


@dataclass(frozen=True)
class Scaling:
    """Exponents of the degrees in R^ = Du^user R Di^item, and whether R has the held-out pairs."""

    user: float = -0.5
    item: float = -0.5
    with_held_out: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """The shard's arrays that R^ is made of."""
        return (*CSR_NAMES, *HELD_NAMES) if self.with_held_out else CSR_NAMES


SYMMETRIC = Scaling()


def csr(shard: Arrays, n_items: int, prefix: str = "") -> csr_matrix:
    """The shard's weights (with prefix "held_": of its held-out pairs), users x items, float32."""
    from scipy.sparse import csr_matrix

    parts = (shard[f"{prefix}{name}"] for name in ("weights", "items", "indptr"))
    return csr_matrix(tuple(parts), shape=(len(shard[f"{prefix}indptr"]) - 1, n_items))


def normalised(shard: Arrays, shared: Arrays, scaling: Scaling = SYMMETRIC) -> csr_matrix:
    """The shard's rows of R^: users x items, float32.

    shard: indptr int64[users + 1], items int32[edges], weights float32[edges];
    shared: degrees and all_degrees, float64[items] over all shards.
    """
    degrees = shared["all_degrees" if scaling.with_held_out else "degrees"]
    R = csr(shard, len(degrees))
    if scaling.with_held_out:
        R = R + csr(shard, len(degrees), "held_")
    by_user = _power(np.asarray(R.sum(axis=1, dtype=np.float64)).ravel(), scaling.user)
    by_item = _power(degrees, scaling.item)
    R.data = (R.data * np.repeat(by_user, np.diff(R.indptr)) * by_item[R.indices]).astype(
        np.float32
    )
    return R


def _power(degrees: np.ndarray, exponent: float) -> np.ndarray:
    """Powers of degrees; 0 stays 0: a vertex without edges sends and receives nothing."""
    powers = np.zeros_like(degrees)
    np.power(degrees, exponent, where=degrees > 0, out=powers)
    return powers


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
