"""Pruning that looks at the whole graph: cores, and what must stay connected."""

from __future__ import annotations

import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from interest_graph.config.graph import GraphConfig
from interest_graph.errors import DataError
from interest_graph.graph import frames, kernels
from interest_graph.graph.one_worker import Ids, fits_worker, run_in_worker
from interest_graph.graph.structure import by_vertex_id, number_vertices


def keep_core(edges: DataFrame, *, config: GraphConfig) -> DataFrame:
    """Keep edges between vertices whose core number is at least `prune.min_core`."""
    strong = core_numbers(edges, config).where(F.col("core_number") >= config.prune.min_core)
    src, dst = (strong.select(F.col("id").alias(end)) for end in ("src", "dst"))
    return edges.join(src, "src", how="semi").join(dst, "dst", how="semi")


def core_numbers(edges: DataFrame, config: GraphConfig) -> DataFrame:
    """id, core_number of every vertex of `edges` (src, dst, weight)."""
    if fits_worker(edges, config):
        return run_in_worker(edges, _cores_of, "id STRING, core_number BIGINT")
    named, links = number_vertices(edges)
    degrees = frames.degrees(named.select(F.col("index").alias("id")), links)
    return by_vertex_id(named, frames.core_numbers(degrees, links))


def keep_connected(edges: DataFrame, kept: DataFrame, config: GraphConfig) -> DataFrame:
    """`kept` and the edges of a maximum spanning forest of `edges`: components stay as they were.

    Raises DataError where `edges` does not fit one worker.
    """
    if not fits_worker(edges, config):
        what = "graph.prune.keep_connected needs a graph that fits one worker"
        raise DataError(f"{what}; see graph.worker_megabytes", edges.count())
    forest = run_in_worker(edges, _forest_of, "_low STRING, _high STRING")
    in_forest = (F.least("src", "dst") == F.col("_low")) & (
        F.greatest("src", "dst") == F.col("_high")
    )
    needed = edges.join(forest, in_forest, how="semi")
    pruned_away = needed.join(kept.select("src", "dst"), ["src", "dst"], how="anti")
    return kept.unionByName(pruned_away)


def _cores_of(graph: kernels.Adjacency, ids: Ids) -> pd.DataFrame:
    return pd.DataFrame({"id": ids, "core_number": kernels.core_numbers(graph)})


def _forest_of(graph: kernels.Adjacency, ids: Ids) -> pd.DataFrame:
    one, other = kernels.spanning_forest(graph)
    low, high = ids[one], ids[other]
    swap = low > high
    return pd.DataFrame({"_low": [*low[~swap], *high[swap]], "_high": [*high[~swap], *low[swap]]})
