"""What each vertex is in the graph: component, community, ranks, core number, degrees."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import numpy as np
import numpy.typing as npt
import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from interest_graph.config.graph import GraphConfig, StructureConfig
from interest_graph.errors import DataError
from interest_graph.graph import frames, kernels
from interest_graph.graph.vertices import with_dense_ids

# Two ids of about 15 characters as Python strings, then indexes, weights and their sorted copies.
_BYTES_AN_EDGE = 400

_STRUCTURE = """
    id STRING, component BIGINT, community BIGINT, pagerank DOUBLE, weighted_pagerank DOUBLE,
    core_number BIGINT, degree BIGINT, weighted_degree DOUBLE"""


def describe(edges: DataFrame, config: GraphConfig) -> DataFrame:
    """Structure by vertex of the undirected graph that `edges` (src, dst, weight) make.

    Components and communities are named by the rank of their smallest vertex id. Ranks sum to 1.
    Both engines give the same rows. Raises DataError when a result contradicts the edges.
    Returns id, component, community, pagerank, weighted_pagerank, core_number, degree,
    weighted_degree; cached, to be released by the caller.
    """
    ends = edges.select("src", "dst", "weight")
    structure = _by_kernel(ends, config) if fits_worker(edges, config) else _by_frames(ends, config)
    kept = structure.persist()
    check_components(ends, kept)
    return kept


def components_of(edges: DataFrame, config: GraphConfig) -> DataFrame:
    """id, component of every vertex of `edges`; the cheap part of `describe`."""
    ends = edges.select("src", "dst", F.lit(1.0).alias("weight"))
    if fits_worker(edges, config):
        kernel = _in_one_worker(_components_kernel)
        return ends.repartition(1).mapInPandas(kernel, "id STRING, component BIGINT")
    vertices, links = _numbered(ends)
    named = vertices.withColumnRenamed("id", "_id").withColumnRenamed("index", "id")
    return named.join(frames.components(named, links), "id", how="inner").select(
        F.col("_id").alias("id"), "component"
    )


def fits_worker(edges: DataFrame, config: GraphConfig) -> bool:
    """Whether the graph is computed by kernels in one worker."""
    if config.structure.engine != "auto":
        return config.structure.engine == "kernel"
    return edges.count() * _BYTES_AN_EDGE <= config.worker_megabytes * 2**20


def check_components(edges: DataFrame, structure: DataFrame) -> None:
    """Raise DataError unless every edge lies in one component and every vertex is there.

    Distributed components have been silently wrong before (graphframes#453, #872).
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


def _by_kernel(edges: DataFrame, config: GraphConfig) -> DataFrame:
    settings = config.structure

    def kernel(graph: kernels.Adjacency) -> dict[str, npt.NDArray[np.generic]]:
        return _structure_kernel(graph, settings)

    return edges.repartition(1).mapInPandas(_in_one_worker(kernel), _STRUCTURE)


def _in_one_worker(
    kernel: Callable[[kernels.Adjacency], dict[str, npt.NDArray[np.generic]]],
) -> Callable[[Iterable[pd.DataFrame]], Iterator[pd.DataFrame]]:
    """A mapInPandas function that hands all edges (src, dst, weight) to `kernel` as one graph."""

    def work(batches: Iterable[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        received = list(batches)
        if not received:
            return
        edges = pd.concat(received, ignore_index=True)
        index, ids = pd.factorize(pd.concat([edges["src"], edges["dst"]]), sort=True)
        src, dst = np.split(index, 2)
        weight = edges["weight"].to_numpy(dtype=np.float64)
        graph = kernels.build_adjacency(src, dst, weight, len(ids))
        yield pd.DataFrame({"id": ids, **kernel(graph)})

    return work


def _components_kernel(graph: kernels.Adjacency) -> dict[str, npt.NDArray[np.generic]]:
    return {"component": kernels.components(graph)}


def _structure_kernel(
    graph: kernels.Adjacency, settings: StructureConfig
) -> dict[str, npt.NDArray[np.generic]]:
    def ranks(*, weighted: bool) -> npt.NDArray[np.float64]:
        return kernels.pagerank(
            graph,
            damping=settings.damping,
            tolerance=settings.rank_tolerance,
            max_rounds=settings.max_rank_rounds,
            weighted=weighted,
        )

    return {
        "component": kernels.components(graph),
        "community": kernels.propagate_labels(graph, rounds=settings.label_rounds),
        "pagerank": ranks(weighted=False),
        "weighted_pagerank": ranks(weighted=True),
        "core_number": kernels.core_numbers(graph),
        "degree": graph.degrees,
        "weighted_degree": np.asarray(graph.weights.sum(axis=1)).ravel(),
    }


def _by_frames(edges: DataFrame, config: GraphConfig) -> DataFrame:
    settings = config.structure
    named, links = _numbered(edges)
    vertices = named.select(F.col("index").alias("id"))
    degrees = frames.degrees(vertices, links)
    ranks = frames.pagerank(
        degrees,
        links,
        damping=settings.damping,
        tolerance=settings.rank_tolerance,
        max_rounds=settings.max_rank_rounds,
    )
    labels = frames.propagate_labels(vertices, links, rounds=settings.label_rounds)
    parts = [frames.components(vertices, links), labels, ranks, frames.core_numbers(degrees, links)]
    joined = degrees
    for part in parts:
        joined = joined.join(part, "id", how="left")
    names = named.select(F.col("id").alias("_name"), F.col("index").alias("id"))
    described = joined.join(names, "id", how="inner").drop("id").withColumnRenamed("_name", "id")
    columns = ["id", "component", "community", "pagerank", "weighted_pagerank"]
    return described.select(*columns, "core_number", "degree", "weighted_degree")


def _numbered(edges: DataFrame) -> tuple[DataFrame, DataFrame]:
    """Vertices (id, index) and links (src, dst, w) between indexes, both directions."""
    named = with_dense_ids(edges.select(F.explode(F.array("src", "dst")).alias("id")))
    src = named.select(F.col("id").alias("src"), F.col("index").alias("_src"))
    dst = named.select(F.col("id").alias("dst"), F.col("index").alias("_dst"))
    joined = edges.join(src, "src", how="inner").join(dst, "dst", how="inner")
    indexed = joined.select(F.col("_src").alias("src"), F.col("_dst").alias("dst"), "weight")
    return named, frames.undirected_links(indexed)
