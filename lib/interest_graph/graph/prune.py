"""Drops edges that carry little: one by one, or by what the whole graph says."""

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
    """Keep the `per_vertex` heaviest edges at each `end`; ties go to the smaller other end."""
    other = "dst" if end == "src" else "src"
    heaviest_first = Window.partitionBy(end).orderBy(F.desc("weight"), other)
    ranked = edges.withColumn("_rank", F.row_number().over(heaviest_first))
    return ranked.where(F.col("_rank") <= per_vertex).drop("_rank")


def drop_old_edges(edges: DataFrame, *, as_of: datetime, max_age_days: float) -> DataFrame:
    """Keep edges whose last event (last_ts) is at most `max_age_days` older than `as_of`."""
    oldest = as_of - timedelta(days=max_age_days)
    return edges.where(F.col("last_ts") >= F.lit(oldest))


def drop_minor_edges(edges: DataFrame, *, min_share: float) -> DataFrame:
    """Keep edges of at least `min_share` of the weight of their src's heaviest edge."""
    heaviest = F.max("weight").over(Window.partitionBy("src"))
    return (
        edges.withColumn("_top", heaviest)
        .where(F.col("weight") >= F.col("_top") * min_share)
        .drop("_top")
    )


def drop_insignificant_edges(edges: DataFrame, *, max_p_value: float) -> DataFrame:
    """Keep the backbone: edges whose p_value of `with_p_values` is at most `max_p_value`."""
    return with_p_values(edges).where(F.col("p_value") <= max_p_value).drop("p_value")


def with_p_values(edges: DataFrame) -> DataFrame:
    """Add p_value: chance of so large a share, had the vertex split its weight at random.

    The smaller of both ends' (1 - w / s) ** (k - 1), s the vertex's weight, k its degree; a vertex
    with one edge has no say (Serrano, Boguñá and Vespignani 2009, the disparity filter).
    """
    chances = [_chance("src"), _chance("dst")]
    return edges.withColumn("p_value", F.least(*chances))


def _chance(end: str) -> Column:
    around = Window.partitionBy(end)
    share = F.col("weight") / F.sum("weight").over(around)
    others = F.count("*").over(around) - 1
    return F.pow(1.0 - F.least(share, F.lit(1.0)), others)


def clean_edges(edges: DataFrame) -> DataFrame:
    """Drop self-loops and merge duplicates (src, dst, kind): weights and events add up."""
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
    """id, core_number of every vertex of `edges` (src, dst, weight)."""
    if fits_worker(edges, config):
        return run_in_worker(edges, _cores_of, "id STRING, core_number BIGINT")
    named, links = number_vertices(edges)
    degrees = distributed_algorithms.degrees(named.select(F.col("index").alias("id")), links)
    return by_vertex_id(named, distributed_algorithms.core_numbers(degrees, links))


def keep_connected(edges: DataFrame, kept: DataFrame, config: GraphConfig) -> DataFrame:
    """`kept` and the edges of a maximum spanning forest of `edges`: components stay as they were.

    Raises DataError where `edges` does not fit one worker.
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
