"""Hands a whole graph to one Python worker when it fits there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import numpy as np
import numpy.typing as npt
import pandas as pd
from pyspark.sql import DataFrame

from interest_graph.config.graph import GraphConfig
from interest_graph.graph.local_algorithms import Adjacency, build_adjacency

Ids = npt.NDArray[np.object_]
GraphKernel = Callable[[Adjacency, Ids], pd.DataFrame]

# Two ids of about 15 characters as Python strings, then indexes, weights and their sorted copies.
BYTES_AN_EDGE = 400


def fits_worker(edges: DataFrame, config: GraphConfig) -> bool:
    """Whether kernels in one worker are to compute this graph; counts the edges in doubt."""
    if config.structure.engine != "auto":
        return config.structure.engine == "kernel"
    return edges.count() * BYTES_AN_EDGE <= config.worker_mb * 2**20


def run_in_worker(edges: DataFrame, kernel: GraphKernel, columns: str) -> DataFrame:
    """Apply `kernel` to the undirected graph of `edges` (src, dst, weight) in one task.

    The kernel gets the graph and its vertex ids in sorted order; it returns rows of `columns`.
    """

    def work(batches: Iterable[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        received = list(batches)
        if received:
            yield kernel(*_as_graph(pd.concat(received, ignore_index=True)))

    return edges.select("src", "dst", "weight").repartition(1).mapInPandas(work, columns)


def _as_graph(edges: pd.DataFrame) -> tuple[Adjacency, Ids]:
    index, ids = pd.factorize(pd.concat([edges["src"], edges["dst"]]), sort=True)
    src, dst = np.split(index.astype(np.int64), 2)
    weight = edges["weight"].to_numpy(dtype=np.float64)
    return build_adjacency(src, dst, weight, len(ids)), np.asarray(ids, dtype=object)
