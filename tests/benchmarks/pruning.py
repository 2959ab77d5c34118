"""Gowalla: the item projection against SciPy, and what pruning half of the edges costs in recall.

    python tests/benchmarks/pruning.py FOLDER

FOLDER holds train.txt[.gz] and test.txt[.gz], one line a user: `user item item ...`. The
recommender is the linear graph filter R^ R^' R^ (seen items excluded) on a fixed sample of users.
Pruned are the edges of its item-item graph R^' R^, and the user-item edges themselves. The last
line is one JSON object; item_item.* and user_item.* give the share of Recall@20 that is lost.
"""

from __future__ import annotations

import argparse
import gzip
import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from scipy import sparse

from interest_graph.graph import similarity

K, SAMPLE, BLOCK = 20, 4000, 500


def main() -> None:
    """Compare, prune, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    train, test = (read_pairs(folder, name) for name in ("train.txt", "test.txt"))
    touched, held_out = as_matrices(train, test)
    result: dict[str, object] = compare_projection(touched)
    unit = normalised(touched)
    filtered = without_loops(unit.T @ unit)
    base = recall(touched, filtered, touched, held_out)
    result["recall_20"] = round(base, 4)
    for name, pruned in halves_of_items(filtered).items():
        result[f"item_item.{name}"] = lost(base, recall(touched, pruned, touched, held_out))
    for name, kept in halves_of_pairs(touched, unit, filtered).items():
        result[f"user_item.{name}"] = lost(base, recall_of_pairs(kept, touched, held_out))
    print(json.dumps(result))


def read_pairs(folder: Path, name: str) -> np.ndarray:
    """int64[pairs, 2]: user, item."""
    plain = folder / name
    opener: Callable = gzip.open if not plain.exists() else open
    with opener(plain if plain.exists() else f"{plain}.gz", "rt") as lines:
        rows = [np.array(line.split(), dtype=np.int64) for line in lines]
    return np.concatenate([np.column_stack([np.full(len(r) - 1, r[0]), r[1:]]) for r in rows])


def as_matrices(train: np.ndarray, test: np.ndarray) -> tuple[sparse.csr_array, sparse.csr_array]:
    """Ones at the pairs; both float64[users, items]."""
    shape = tuple(np.maximum(train.max(axis=0), test.max(axis=0)) + 1)
    return tuple(  # type: ignore[return-value]
        sparse.csr_array((np.ones(len(p)), (p[:, 0], p[:, 1])), shape=shape) for p in (train, test)
    )


def compare_projection(touched: sparse.csr_array) -> dict[str, object]:
    """Top 100 cosine neighbours by the suite's kernel and by a plain SciPy product."""
    sizes, rows = touched.sum(axis=0), np.arange(touched.shape[1])
    start = time.perf_counter()
    baskets = touched.astype(np.int32)
    pieces = similarity.most_similar(
        baskets, sizes, rows, k=100, similarity=similarity.Similarity()
    )
    src, dst, weight, _ = (np.concatenate(part) for part in zip(*pieces, strict=True))
    ours_s, start = time.perf_counter() - start, time.perf_counter()
    shared = (touched.T @ touched).tocsr()
    expected = [row_of_cosines(shared, sizes, row) for row in rows]
    scipy_s = time.perf_counter() - start
    ends = np.concatenate([np.full(len(best), row) for row, (best, _) in enumerate(expected)])
    equal = (
        np.array_equal(src, ends)
        and np.array_equal(dst, np.concatenate([best for best, _ in expected]))
        and np.array_equal(weight, np.concatenate([cosine for _, cosine in expected]))
    )
    if not equal:
        raise SystemExit("the projection differs from the reference")
    return {
        "projection_edges": len(src),
        "equal": True,
        "ours_s": round(ours_s, 1),
        "scipy_s": round(scipy_s, 1),
    }


def row_of_cosines(
    shared: sparse.csr_array, sizes: np.ndarray, row: int
) -> tuple[np.ndarray, np.ndarray]:
    """The row's 100 best columns and their cosines; ties go to the smaller column."""
    start, end = shared.indptr[row], shared.indptr[row + 1]
    columns = shared.indices[start:end]
    cosine = shared.data[start:end] / np.sqrt(sizes[row] * sizes[columns])
    other = columns != row
    columns, cosine = columns[other], cosine[other]
    best = np.lexsort((columns, -cosine))[:100]
    return columns[best], cosine[best]


def normalised(matrix: sparse.csr_array) -> sparse.csr_array:
    """Du^-1/2 R Di^-1/2."""
    roots = []
    for axis in (1, 0):
        total = np.asarray(matrix.sum(axis=axis)).ravel()
        roots.append(np.divide(1, np.sqrt(total), out=np.zeros_like(total), where=total > 0))
    return (sparse.diags_array(roots[0]) @ matrix @ sparse.diags_array(roots[1])).tocsr()


def without_loops(matrix: sparse.csr_array) -> sparse.csr_array:
    """The matrix with an empty diagonal."""
    matrix = matrix.tocsr()
    matrix.setdiag(0)
    matrix.eliminate_zeros()
    return matrix


def recall(
    history: sparse.csr_array,
    items: sparse.csr_array,
    seen: sparse.csr_array,
    held_out: sparse.csr_array,
) -> float:
    """Mean Recall@20 of sampled users who are scored by history @ items."""
    users = np.random.default_rng(0).choice(
        seen.shape[0], min(SAMPLE, seen.shape[0]), replace=False
    )
    shares = []
    for start in range(0, len(users), BLOCK):
        block = users[start : start + BLOCK]
        scores = (history[block] @ items).toarray()
        known = seen[block].tocoo()
        scores[known.row, known.col] = -1
        best = np.argpartition(-scores, K, axis=1)[:, :K]
        truth = held_out[block].toarray()
        wanted = truth.sum(axis=1)
        hits = np.take_along_axis(truth, best, axis=1).sum(axis=1)
        shares.append(hits[wanted > 0] / wanted[wanted > 0])
    return float(np.concatenate(shares).mean())


def halves_of_items(items: sparse.csr_array) -> dict[str, sparse.csr_array]:
    """Half of the item-item edges by each pruner."""
    owner = np.repeat(np.arange(items.shape[0]), np.diff(items.indptr))
    scores = {
        "by_weight": items.data,
        "by_disparity": -log_p_values(items, owner),
        "at_random": np.random.default_rng(1).random(items.nnz),
    }
    return {name: heavier_half(items, score) for name, score in scores.items()}


def log_p_values(items: sparse.csr_array, owner: np.ndarray) -> np.ndarray:
    """Logarithms of prune.with_p_values."""
    strength, degree = items.sum(axis=1), np.diff(items.indptr)
    chances = [
        (degree[end] - 1) * np.log1p(-np.minimum(items.data / strength[end], 1 - 1e-12))
        for end in (owner, items.indices)
    ]
    return np.minimum(*chances)


def heavier_half(items: sparse.csr_array, score: np.ndarray) -> sparse.csr_array:
    """Edges above the median of `score`."""
    half = items.copy()
    half.data = np.where(score > np.median(score), items.data, 0.0)
    half.eliminate_zeros()
    return half


def halves_of_pairs(
    touched: sparse.csr_array, unit: sparse.csr_array, items: sparse.csr_array
) -> dict[str, sparse.csr_array]:
    """Half of the user-item edges: those that the user's other items predict best, and any."""
    fit = np.concatenate(
        [
            np.asarray((unit[[user]] @ items).todense()).ravel()[touched[[user]].indices]
            for user in range(touched.shape[0])
        ]
    )
    at_random = np.random.default_rng(2).random(touched.nnz)
    return {"by_fit": heavier_half(touched, fit), "at_random": heavier_half(touched, at_random)}


def recall_of_pairs(
    kept: sparse.csr_array, seen: sparse.csr_array, held_out: sparse.csr_array
) -> float:
    """Recall@20 when only `kept` is known of the users, too."""
    unit = normalised(kept)
    return recall(kept, without_loops(unit.T @ unit), seen, held_out)


def lost(base: float, now: float) -> float:
    """Share of the base that is gone."""
    return round(1 - now / base, 4)


if __name__ == "__main__":
    main()
