"""The user-item matrix of one shard and its scaling by degrees, in SciPy. No Spark here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from interest_graph.arrays import Arrays

if TYPE_CHECKING:
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
