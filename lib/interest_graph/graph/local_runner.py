"""Running a kernel on the whole graph in one Python worker, if it fits."""

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

# Memory for an edge: two ids of 15 characters as Python strings, vertex numbers, weights, copies.
BYTES_AN_EDGE = 400


def fits_worker(edges: DataFrame, config: GraphConfig) -> bool:
    """Whether this graph is computed in one worker: by structure.engine, or by its edges if "auto".

    The graph fits if BYTES_AN_EDGE for each edge stay within graph.worker_mb.
    """
    if config.structure.engine != "auto":
        return config.structure.engine == "kernel"
    return edges.count() * BYTES_AN_EDGE <= config.worker_mb * 2**20


def run_in_worker(edges: DataFrame, kernel: GraphKernel, columns: str) -> DataFrame:
    """Call `kernel(graph, ids)` in one task, with the whole graph; returns its rows.

    edges: src, dst, weight, read as undirected. ids: vertex ids in ascending order; vertex number i
    is ids[i]. columns: DDL of the rows. Without edges the result is empty.
    """

    def work(batches: Iterable[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        received = list(batches)
        if received:
            rows = kernel(*_as_graph(pd.concat(received, ignore_index=True)))
            if len(rows):  # Spark cannot convert an empty frame: pandas does not know its types
                yield rows

    return edges.select("src", "dst", "weight").repartition(1).mapInPandas(work, columns)


def _as_graph(edges: pd.DataFrame) -> tuple[Adjacency, Ids]:
    index, ids = pd.factorize(pd.concat([edges["src"], edges["dst"]]), sort=True)
    src, dst = np.split(index.astype(np.int64), 2)
    weight = edges["weight"].to_numpy(dtype=np.float64)
    return build_adjacency(src, dst, weight, len(ids)), np.asarray(ids, dtype=object)
