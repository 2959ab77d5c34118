"""Personalised PageRank and shortest paths from chosen vertices; items that follow an item."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
import pandas as pd
from graphframes import GraphFrame
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from interest_graph.config.graph import GraphConfig, StructureConfig
from interest_graph.errors import DataError
from interest_graph.graph import distributed_algorithms, local_algorithms
from interest_graph.graph.local_runner import Ids, fits_worker, run_in_worker
from interest_graph.graph.prune import keep_heaviest_edges
from interest_graph.graph.structure import by_vertex_id, number_vertices


def personal_ranks(edges: DataFrame, sources: Sequence[str], config: GraphConfig) -> DataFrame:
    """Personalised weighted PageRank: the walk restarts at `sources`; ranks are high near them.

    edges: src, dst, weight; sources: vertex ids. Returns id, rank (sum 1). Raises DataError when a
    source has no edge.
    """
    _require_vertices(edges, sources)
    if fits_worker(edges, config):
        kernel = partial(_personal_ranks_of, sources=list(sources), settings=config.structure)
        return run_in_worker(edges, kernel, "id STRING, rank DOUBLE")
    named, links = number_vertices(edges)
    degrees = distributed_algorithms.degrees(named.select(F.col("index").alias("id")), links)
    restart = named.where(F.col("id").isin(list(sources))).select(F.col("index").alias("id"))
    ranks = distributed_algorithms.pagerank(degrees, links, config.structure, restart=restart)
    return by_vertex_id(named, ranks).select("id", F.col("weighted_pagerank").alias("rank"))


def hops_to(edges: DataFrame, landmarks: Sequence[str], config: GraphConfig) -> DataFrame:
    """Number of edges on a shortest path from every vertex to each landmark.

    edges: src, dst, weight, read as undirected. Returns id, landmark, hops, without pairs that no
    path connects. Raises DataError when a landmark has no edge.
    """
    _require_vertices(edges, landmarks)
    if fits_worker(edges, config):
        kernel = partial(_hops_of, landmarks=list(landmarks))
        return run_in_worker(edges, kernel, "id STRING, landmark STRING, hops BIGINT")
    vertices = edges.select(F.explode(F.array("src", "dst")).alias("id")).distinct()
    ways = edges.select("src", "dst")
    both_ways = ways.unionAll(ways.select(F.col("dst").alias("src"), F.col("src").alias("dst")))
    graph = GraphFrame(vertices, both_ways.distinct())
    found: DataFrame = graph.shortestPaths(landmarks=list(landmarks))
    pairs = found.select("id", F.explode("distances").alias("landmark", "hops"))
    return pairs.withColumn("hops", F.col("hops").cast("bigint"))


def followed_by(edges: DataFrame, *, k: int, max_items_per_user: int) -> DataFrame:
    """For each item the `k` items that most of its users have later first events with.

    edges: src (user), dst (item), weight, first_ts; of each user the `max_items_per_user` heaviest
    are read. Returns src (item), dst (later item), n_users, share (n_users / users of src).
    """
    bounded = keep_heaviest_edges(edges, per_vertex=max_items_per_user)
    ends = bounded.select("src", "dst", "first_ts")
    vertices = ends.select(F.explode(F.array("src", "dst")).alias("id")).distinct()
    motif: DataFrame = GraphFrame(vertices, ends).find("(u)-[one]->(a); (u)-[other]->(b)")
    ordered = motif.where("one.first_ts < other.first_ts")
    counts = ordered.groupBy(F.col("a.id").alias("src"), F.col("b.id").alias("dst"))
    users = ends.groupBy(F.col("dst").alias("src")).agg(F.count("*").alias("_users"))
    followed = counts.agg(F.count("*").alias("n_users")).join(users, "src", how="inner")
    shares = followed.withColumn("share", F.col("n_users") / F.col("_users")).drop("_users")
    most_first = Window.partitionBy("src").orderBy(F.desc("n_users"), "dst")
    ranked = shares.withColumn("_rank", F.row_number().over(most_first))
    return ranked.where(F.col("_rank") <= k).drop("_rank")


def _require_vertices(edges: DataFrame, ids: Sequence[str]) -> None:
    present = edges.select(F.explode(F.array("src", "dst")).alias("id")).where(
        F.col("id").isin(list(ids))
    )
    found = {row["id"] for row in present.distinct().collect()}
    lacking = sorted(set(ids) - found)
    if lacking or not ids:
        raise DataError("vertices without an edge in this graph", len(lacking), lacking)


def _personal_ranks_of(
    graph: local_algorithms.Adjacency, ids: Ids, *, sources: list[str], settings: StructureConfig
) -> pd.DataFrame:
    is_source = np.isin(ids, sources)
    ranks = local_algorithms.pagerank(
        graph,
        damping=settings.damping,
        tolerance=settings.rank_tolerance,
        max_rounds=settings.max_rank_rounds,
        weighted=True,
        restart=is_source / is_source.sum(),
    )
    return pd.DataFrame({"id": ids, "rank": ranks})


def _hops_of(graph: local_algorithms.Adjacency, ids: Ids, *, landmarks: list[str]) -> pd.DataFrame:
    at = np.flatnonzero(np.isin(ids, landmarks))
    hops = local_algorithms.hops_from(graph, at)
    landmark, vertex = np.nonzero(np.isfinite(hops))
    columns = {"id": ids[vertex], "landmark": ids[at[landmark]], "hops": hops[landmark, vertex]}
    return pd.DataFrame(columns).astype({"hops": "int64"})
