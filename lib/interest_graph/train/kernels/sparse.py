"""The user-item matrix of one shard, scaled by degrees, in SciPy and in torch. No Spark here."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from interest_graph.arrays import Arrays

if TYPE_CHECKING:
    import torch
    from scipy.sparse import csr_matrix


CSR_NAMES = ("indptr", "items", "weights")
HELD_NAMES = tuple(f"held_{name}" for name in CSR_NAMES)


@dataclass(frozen=True)
class Scaling:
    """How R^ is made of the weights R: R^ = Du^user R Di^item, with D the weighted degrees.

    user, item: exponents; with_held_out: whether R (and D) include the held-out pairs.
    """

    user: float = -0.5
    item: float = -0.5
    with_held_out: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the shard's arrays that R^ is computed from."""
        return (*CSR_NAMES, *HELD_NAMES) if self.with_held_out else CSR_NAMES


SYMMETRIC = Scaling()


def csr(shard: Arrays, n_items: int, prefix: str = "") -> csr_matrix:
    """The shard's weights R_s: users x items, float32; with prefix "held_" its held-out pairs."""
    from scipy.sparse import csr_matrix

    parts = (shard[f"{prefix}{name}"] for name in ("weights", "items", "indptr"))
    return csr_matrix(tuple(parts), shape=(len(shard[f"{prefix}indptr"]) - 1, n_items))


def normalised(shard: Arrays, shared: Arrays, scaling: Scaling = SYMMETRIC) -> csr_matrix:
    """The shard's rows of R^: users x items, float32.

    shard: indptr int64[users + 1], items int32[edges], weights float32[edges], and the same with
    "held_" before the name where scaling asks for held-out pairs; shared: degrees, all_degrees
    float64[items], weighted degrees over all shards without and with held-out pairs.
    """
    degrees = shared["all_degrees" if scaling.with_held_out else "degrees"]
    R = csr(shard, len(degrees))
    if scaling.with_held_out:
        R = R + csr(shard, len(degrees), "held_")
    by_user = powers(R.sum(axis=1, dtype=np.float64), scaling.user)
    by_item = powers(degrees, scaling.item)
    R.data = (R.data * np.repeat(by_user, np.diff(R.indptr)) * by_item[R.indices]).astype(
        np.float32
    )
    return R


def powers(degrees: npt.ArrayLike, exponent: float) -> npt.NDArray[np.float64]:
    """degrees ** exponent as float64[n]; 0 where the degree is 0, also for negative exponents."""
    flat = np.asarray(degrees, dtype=np.float64).ravel()
    found = np.zeros_like(flat)
    np.power(flat, exponent, out=found, where=flat > 0)
    return found


def to_torch(matrix: csr_matrix, device: str) -> torch.Tensor:
    """A SciPy CSR matrix as a torch CSR tensor, float32, on the device."""
    import torch

    # Torch warns once a process that CSR tensors are in beta; the product used here is stable.
    warnings.filterwarnings("ignore", message="Sparse (CSR|invariant)")
    return torch.sparse_csr_tensor(
        torch.from_numpy(matrix.indptr.astype(np.int32)),
        torch.from_numpy(matrix.indices.astype(np.int32)),
        torch.from_numpy(matrix.data.astype(np.float32)),
        size=matrix.shape,
        device=device,
    )


def both_ways(matrix: csr_matrix, device: str) -> tuple[torch.Tensor, torch.Tensor]:
    """The matrix and its transpose, each as a torch CSR tensor."""
    return to_torch(matrix, device), to_torch(matrix.T.tocsr(), device)


def gram_product(R: csr_matrix, Y: np.ndarray, device: str) -> np.ndarray:
    """R' (R Y), float32[items, d], on the device; R: users x items, Y: float32[items, d]."""
    if device == "cpu":  # SciPy needs no transposed copy, which one product would not pay for
        return np.asarray(R.T @ (R @ Y))
    import torch

    there, back = both_ways(R, device)
    values = torch.from_numpy(np.array(Y, dtype=np.float32)).to(device)
    return np.asarray((back @ (there @ values)).cpu().numpy())


def with_edges(matrix: torch.Tensor, kept: torch.Tensor, scale: float) -> torch.Tensor:
    """The torch CSR matrix with only its entries where `kept` bool[entries], times `scale`."""
    import torch

    n_kept = torch.nn.functional.pad(kept.cumsum(0, dtype=torch.int32), (1, 0))
    starts = n_kept[matrix.crow_indices().long()]
    parts = (matrix.col_indices()[kept], matrix.values()[kept] * scale)
    return torch.sparse_csr_tensor(starts, *parts, size=matrix.shape)
