"""Random graphs for the tests of training, as frames and as matrices."""

from __future__ import annotations

from typing import Any

import numpy as np
from pyspark.sql import DataFrame, SparkSession
from scipy import sparse

from interest_graph.config import TrainConfig
from interest_graph.train.distributed.sharded_graph import ShardedGraph
from interest_graph.train.sharding.memory_model import training_costs
from interest_graph.train.sharding.partition import partition

COSTS = training_costs(64, 3)
EDGES = "user_id STRING, item_id STRING, weight DOUBLE"


def random_matrix(n_users: int, n_items: int, density: float, seed: int) -> sparse.csr_matrix:
    """Weights in [0.1, 1.1) at random cells; every user and every item has one at least."""
    rng = np.random.default_rng(seed)
    cells = rng.random((n_users, n_items)) < density
    cells[np.arange(n_users), rng.integers(n_items, size=n_users)] = True
    cells[rng.integers(n_users, size=n_items), np.arange(n_items)] = True
    return sparse.csr_matrix(cells * (0.1 + rng.random((n_users, n_items))), dtype=np.float32)


def planted_matrix(
    n_users: int, n_items: int, n_groups: int, density: float, seed: int
) -> sparse.csr_matrix:
    """User u knows a random share of the items i with i % n_groups == u % n_groups."""
    rng = np.random.default_rng(seed)
    users, items = np.indices((n_users, n_items))
    cells = (users % n_groups == items % n_groups) & (rng.random((n_users, n_items)) < density)
    return sparse.csr_matrix(cells, dtype=np.float32)


def frame_of(spark: SparkSession, matrix: sparse.csr_matrix) -> DataFrame:
    """user_id, item_id, weight; ids sort as the numbers do."""
    cells = sparse.coo_matrix(matrix.toarray())
    rows = [
        (f"user{u:05}", f"item{i:05}", float(w))
        for u, i, w in zip(cells.row, cells.col, cells.data, strict=True)
    ]
    return spark.createDataFrame(rows, EDGES)


def sharded(edges: DataFrame, n_shards: int, *, held_out: DataFrame | None = None) -> ShardedGraph:
    """The graph cut by hash, as LightGCN's default settings cut it."""
    return partition(edges, held_out, TrainConfig(n_shards=n_shards), COSTS)


def symmetric(matrix: sparse.csr_matrix) -> np.ndarray:
    """R^ = Du^-1/2 R Di^-1/2 in double precision, dense."""
    R = matrix.toarray().astype(np.float64)
    return R / np.sqrt(R.sum(axis=1, keepdims=True)) / np.sqrt(R.sum(axis=0, keepdims=True))


def matrix_of(vectors: DataFrame) -> np.ndarray:
    """key, vector rows as a matrix in the order of the keys."""
    rows: list[Any] = sorted(vectors.select("key", "vector").collect())
    return np.array([row.vector for row in rows], dtype=np.float32)
