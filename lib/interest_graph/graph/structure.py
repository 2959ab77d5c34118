"""Structure by vertex: component, communities, PageRank, core number, triangles, degrees.

A graph that fits one worker is computed there by local_algorithms, a larger one by
distributed_algorithms, with the same results.
"""

from __future__ import annotations

from functools import partial, reduce

import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from interest_graph.config.graph import GraphConfig, StructureConfig
from interest_graph.errors import DataError
from interest_graph.graph import distributed_algorithms, local_algorithms
from interest_graph.graph.local_runner import BYTES_AN_EDGE, Ids, fits_worker, run_in_worker
from interest_graph.graph.vertices import with_dense_ids

_STRUCTURE = """
    id STRING, component BIGINT, community BIGINT, modularity_community BIGINT, pagerank DOUBLE,
    weighted_pagerank DOUBLE, core_number BIGINT, triangles BIGINT, clustering DOUBLE,
    degree BIGINT, weighted_degree DOUBLE"""


def describe(
    edges: DataFrame,
    config: GraphConfig,
    *,
    report: distributed_algorithms.Report = distributed_algorithms.no_report,
) -> DataFrame:
    """Structure by vertex of the undirected graph of `edges` (src, dst, weight).

    Returns id, component, community (label propagation), modularity_community (Leiden), pagerank,
    weighted_pagerank (each sums to 1), core_number, triangles, clustering, degree, weighted_degree.
    Components and communities are named by the rank of their smallest vertex id among all ids. For
    a graph that fits no worker Leiden merges the communities of label propagation instead of
    vertices; all else is the same. report: called with a line after each round of a distributed
    algorithm. Materialised by a local checkpoint. Raises DataError when components contradict the
    edges.
    """
    ends = edges.select("src", "dst", "weight")
    if fits_worker(edges, config):
        settings = config.structure
        return run_in_worker(
            ends, partial(_structure_of, settings=settings), _STRUCTURE
        ).localCheckpoint()
    described = _structure_distributed(ends, config, report).localCheckpoint()
    check_components(ends, described)
    return described


def described_edges(edges: DataFrame, config: GraphConfig) -> DataFrame:
    """The edges of the kinds in graph.structure.edges, which `describe` is applied to."""
    return edges.where(F.col("kind").isin(config.structure.edges))


def components_of(edges: DataFrame, config: GraphConfig) -> DataFrame:
    """Connected components of `edges` (src, dst) alone, as in `describe`: id, component."""
    ends = edges.select("src", "dst", F.lit(1.0).alias("weight"))
    if fits_worker(edges, config):
        return run_in_worker(ends, _components_of, "id STRING, component BIGINT")
    named, links = number_vertices(ends)
    return by_vertex_id(
        named, distributed_algorithms.components(named.select(F.col("index").alias("id")), links)
    )


def check_components(edges: DataFrame, structure: DataFrame) -> None:
    """Raise DataError unless both ends of every edge are in `structure` with the same component.

    GraphFrames' components have been silently wrong before (graphframes#453, #872).
    """
    by_id = structure.select("id", "component")
    src = by_id.select(F.col("id").alias("src"), F.col("component").alias("_src_component"))
    dst = by_id.select(F.col("id").alias("dst"), F.col("component").alias("_dst_component"))
    placed = edges.join(src, "src", how="left").join(dst, "dst", how="left")
    agree = F.col("_src_component") == F.col("_dst_component")
    torn = placed.where(~F.coalesce(agree, F.lit(False)))
    samples = [f"{row['src']}-{row['dst']}" for row in torn.select("src", "dst").take(5)]
    if samples:
        raise DataError("edges join different components", torn.count(), samples)


def _components_of(graph: local_algorithms.Adjacency, ids: Ids) -> pd.DataFrame:
    return pd.DataFrame({"id": ids, "component": local_algorithms.components(graph)})


def _structure_of(
    graph: local_algorithms.Adjacency, ids: Ids, *, settings: StructureConfig
) -> pd.DataFrame:
    rank = partial(
        local_algorithms.pagerank,
        graph,
        damping=settings.damping,
        tolerance=settings.rank_tolerance,
        max_rounds=settings.max_rank_rounds,
    )
    at_vertex, clustering = local_algorithms.triangles(graph)
    columns = {
        "id": ids,
        "component": local_algorithms.components(graph),
        "community": local_algorithms.propagate_labels(graph, rounds=settings.label_rounds),
        "modularity_community": local_algorithms.leiden(graph, seed=settings.seed),
        "pagerank": rank(weighted=False),
        "weighted_pagerank": rank(weighted=True),
        "core_number": local_algorithms.core_numbers(graph),
        "triangles": at_vertex,
        "clustering": clustering,
        "degree": graph.degrees,
        "weighted_degree": graph.strengths,
    }
    return pd.DataFrame(columns)


def _structure_distributed(
    edges: DataFrame, config: GraphConfig, report: distributed_algorithms.Report
) -> DataFrame:
    settings = config.structure
    named, links = number_vertices(edges)
    vertices = named.select(F.col("index").alias("id"))
    degrees = distributed_algorithms.degrees(vertices, links)
    ranks = distributed_algorithms.pagerank(degrees, links, settings, report=report)
    labels = distributed_algorithms.propagate_labels(
        vertices, links, rounds=settings.label_rounds, report=report
    )
    parts = [
        distributed_algorithms.components(vertices, links),
        labels,
        _leiden_of_communities(labels, links, config),
        ranks,
        distributed_algorithms.core_numbers(degrees, links, report=report),
        distributed_algorithms.triangles(degrees, links),
    ]
    return by_vertex_id(
        named, reduce(lambda left, right: left.join(right, "id", how="left"), parts, degrees)
    )


def _leiden_of_communities(labels: DataFrame, links: DataFrame, config: GraphConfig) -> DataFrame:
    """id, modularity_community: Leiden on the graph whose vertices are `labels`' communities.

    If even that graph fits no worker, the communities are returned unchanged.
    """
    joined = distributed_algorithms.contract(labels, links)
    if joined.count() * BYTES_AN_EDGE > config.worker_mb * 2**20:
        return labels.withColumnRenamed("community", "modularity_community")
    kernel = partial(_leiden_of, seed=config.structure.seed)
    groups = run_in_worker(joined, kernel, "community BIGINT, modularity_community BIGINT")
    return labels.join(groups, "community", how="left").select(
        "id", F.coalesce("modularity_community", "community").alias("modularity_community")
    )


def _leiden_of(graph: local_algorithms.Adjacency, ids: Ids, *, seed: int) -> pd.DataFrame:
    found = local_algorithms.leiden(graph, seed=seed)
    return pd.DataFrame({"community": ids, "modularity_community": ids[found]})


def number_vertices(edges: DataFrame) -> tuple[DataFrame, DataFrame]:
    """Number the vertices of `edges`: (id, index), and links (src, dst, w) by index, both ways."""
    ids = edges.select(F.explode(F.array("src", "dst")).alias("id"))
    named = with_dense_ids(ids).localCheckpoint()
    src = named.select(F.col("id").alias("src"), F.col("index").alias("_src"))
    dst = named.select(F.col("id").alias("dst"), F.col("index").alias("_dst"))
    joined = edges.join(src, "src", how="inner").join(dst, "dst", how="inner")
    indexed = joined.select(F.col("_src").alias("src"), F.col("_dst").alias("dst"), "weight")
    return named, distributed_algorithms.undirected_links(indexed)


def by_vertex_id(named: DataFrame, by_index: DataFrame) -> DataFrame:
    """Replace the vertex numbers in column id of `by_index` by vertex ids; named: id, index."""
    names = named.select(F.col("id").alias("_name"), F.col("index").alias("id"))
    return names.join(by_index, "id", how="inner").drop("id").withColumnRenamed("_name", "id")
