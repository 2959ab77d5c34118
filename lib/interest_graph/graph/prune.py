"""Pruning: rules that drop edges by weight, age, rank, significance or core number."""

from __future__ import annotations

from datetime import datetime, timedelta

import pandas as pd
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from interest_graph.config.graph import GraphConfig
from interest_graph.errors import DataError
from interest_graph.graph import distributed_algorithms, local_algorithms
from interest_graph.graph.fixed_point import exact_sum
from interest_graph.graph.local_runner import Ids, fits_worker, run_in_worker
from interest_graph.graph.structure import by_vertex_id, number_vertices


def drop_light_edges(edges: DataFrame, *, min_weight: float) -> DataFrame:
    """Keep edges of at least `min_weight`."""
    return edges.where(F.col("weight") >= min_weight)


def keep_heaviest_edges(edges: DataFrame, *, per_vertex: int, end: str = "src") -> DataFrame:
    """Keep the `per_vertex` heaviest edges of each vertex at `end` (src or dst).

    Of edges of equal weight, those with the smaller id at the other end are kept.
    """
    other = "dst" if end == "src" else "src"
    heaviest_first = Window.partitionBy(end).orderBy(F.desc("weight"), other)
    ranked = edges.withColumn("_rank", F.row_number().over(heaviest_first))
    return ranked.where(F.col("_rank") <= per_vertex).drop("_rank")


def drop_old_edges(edges: DataFrame, *, as_of: datetime, max_age_days: float) -> DataFrame:
    """Keep edges whose last event (last_ts) is at most `max_age_days` older than `as_of`."""
    oldest = as_of - timedelta(days=max_age_days)
    return edges.where(F.col("last_ts") >= F.lit(oldest))


def drop_minor_edges(edges: DataFrame, *, min_share: float) -> DataFrame:
    """Keep edges with at least `min_share` of the weight of the heaviest edge of their src."""
    heaviest = F.max("weight").over(Window.partitionBy("src"))
    return (
        edges.withColumn("_top", heaviest)
        .where(F.col("weight") >= F.col("_top") * min_share)
        .drop("_top")
    )


def drop_insignificant_edges(edges: DataFrame, *, max_p_value: float) -> DataFrame:
    """Keep edges whose p_value (`with_p_values`) is at most `max_p_value`: the graph's backbone."""
    return with_p_values(edges).where(F.col("p_value") <= max_p_value).drop("p_value")


def with_p_values(edges: DataFrame) -> DataFrame:
    """Add p_value, of the disparity filter (Serrano, Boguñá and Vespignani 2009).

    Null hypothesis: a vertex divides its weight among its edges at random. The smaller value of
    both ends, (1 - w / s) ** (k - 1) with s the weighted degree and k the degree; an end with one
    edge gives 1.
    """
    return edges.withColumn("p_value", F.least(_p_value_at("src"), _p_value_at("dst")))


def _p_value_at(end: str) -> Column:
    around = Window.partitionBy(end)
    share = F.col("weight") / F.sum("weight").over(around)
    others = F.count("*").over(around) - 1
    return F.pow(1.0 - F.least(share, F.lit(1.0)), others)


def clean_edges(edges: DataFrame) -> DataFrame:
    """Drop self-loops and edges of weight 0; add up edges of the same src, dst, kind."""
    proper = edges.where("src <> dst AND weight > 0")
    return proper.groupBy("src", "dst", "kind").agg(
        exact_sum(F.col("weight")).alias("weight"),
        F.sum("n_events").alias("n_events"),
        F.min("first_ts").alias("first_ts"),
        F.max("last_ts").alias("last_ts"),
    )


def keep_core(edges: DataFrame, *, config: GraphConfig) -> DataFrame:
    """Keep edges between vertices whose core number is at least `prune.min_core`."""
    strong = core_numbers(edges, config).where(F.col("core_number") >= config.prune.min_core)
    src, dst = (strong.select(F.col("id").alias(end)) for end in ("src", "dst"))
    return edges.join(src, "src", how="semi").join(dst, "dst", how="semi")


def core_numbers(edges: DataFrame, config: GraphConfig) -> DataFrame:
    """Core number of every vertex of `edges` (src, dst, weight): id, core_number."""
    if fits_worker(edges, config):
        return run_in_worker(edges, _cores_of, "id STRING, core_number BIGINT")
    named, links = number_vertices(edges)
    degrees = distributed_algorithms.degrees(named.select(F.col("index").alias("id")), links)
    return by_vertex_id(named, distributed_algorithms.core_numbers(degrees, links))


def keep_connected(edges: DataFrame, kept: DataFrame, config: GraphConfig) -> DataFrame:
    """Add the edges of a maximum spanning forest of `edges` to `kept`, so that no component splits.

    kept: the edges left after pruning `edges`. Raises DataError when `edges` fits no worker.
    """
    if not fits_worker(edges, config):
        what = "graph.prune.keep_connected needs a graph that fits one worker"
        raise DataError(f"{what}; see graph.worker_mb", edges.count())
    forest = run_in_worker(edges, _forest_of, "_low STRING, _high STRING")
    in_forest = (F.least("src", "dst") == F.col("_low")) & (
        F.greatest("src", "dst") == F.col("_high")
    )
    needed = edges.join(forest, in_forest, how="semi")
    pruned_away = needed.join(kept.select("src", "dst"), ["src", "dst"], how="anti")
    return kept.unionByName(pruned_away)


def _cores_of(graph: local_algorithms.Adjacency, ids: Ids) -> pd.DataFrame:
    return pd.DataFrame({"id": ids, "core_number": local_algorithms.core_numbers(graph)})


def _forest_of(graph: local_algorithms.Adjacency, ids: Ids) -> pd.DataFrame:
    one, other = local_algorithms.spanning_forest(graph)
    low, high = ids[one], ids[other]
    swap = low > high
    return pd.DataFrame({"_low": [*low[~swap], *high[swap]], "_high": [*high[~swap], *low[swap]]})
