"""Projection of user-item edges to item-item edges: items are similar that share users."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F
from scipy import sparse

from interest_graph.config.graph import GraphConfig, ProjectionConfig
from interest_graph.graph.prune import keep_heaviest_edges
from interest_graph.graph.similarity import Similarity, most_similar
from interest_graph.graph.vertices import rank_from_zero
from interest_graph.partition_keys import keys_of_partitions

_BYTES_AN_ENTRY = 20  # of a basket in a worker: item number, size, and their copies as arrays
_PAIR_COLUMNS = "src_index BIGINT, dst_index BIGINT, weight DOUBLE, n_shared BIGINT"


def project(edges: DataFrame, config: GraphConfig) -> DataFrame:
    """Link each dst of `edges` (src, dst, weight) to the neighbours_per_item most similar dst.

    Two dst are similar that share many src (cosine, Jaccard or PMI of their sets of src). A src
    with more than `max_items_per_user` edges counts with its heaviest only: its pairs grow with the
    square of its edges, and say little about which items belong together.
    Returns src, dst (both dst of `edges`), weight (similarity > 0), n_shared; ties go to the
    smaller id.
    """
    settings = config.projection
    bounded = keep_heaviest_edges(edges, per_vertex=settings.max_items_per_user)
    catalogue = _numbered(bounded).persist()
    entries = _indexed(bounded, catalogue).persist()
    similarity = _similarity(entries, settings)
    find = _pairs_in_blocks if _fits(entries, config) else _pairs_by_join
    pairs = find(entries, config.neighbours_per_item, similarity)
    named = _named(pairs, catalogue).localCheckpoint()
    for frame in (entries, catalogue):
        frame.unpersist()
    return named


def _numbered(edges: DataFrame) -> DataFrame:
    """All dst of `edges`: id, size (number of its src), index (rank of the id, from 0)."""
    sizes = edges.groupBy(F.col("dst").alias("id")).agg(F.count("*").alias("size"))
    return sizes.withColumn("index", rank_from_zero(Window.orderBy("id")))


def _indexed(edges: DataFrame, catalogue: DataFrame) -> DataFrame:
    """`edges` with numbered dst: src, index and size as in `catalogue`."""
    named = catalogue.withColumnRenamed("id", "dst")
    return edges.select("src", "dst").join(named, "dst", how="inner").select("src", "index", "size")


def _similarity(entries: DataFrame, settings: ProjectionConfig) -> Similarity:
    n_baskets = entries.select("src").distinct().count() if settings.measure == "pmi" else 0
    return Similarity(settings.measure, settings.shrinkage, n_baskets)


def _fits(entries: DataFrame, config: GraphConfig) -> bool:
    """Whether all entries fit one worker: the block of the most popular item may need them."""
    if config.projection.engine != "auto":
        return config.projection.engine == "blocks"
    return entries.count() * _BYTES_AN_ENTRY <= config.worker_mb * 2**20


def _pairs_in_blocks(entries: DataFrame, k: int, similarity: Similarity) -> DataFrame:
    """Find the pairs by blocks of items, one a worker, each with all baskets that have its items.

    Baskets are copied to several workers, but no pairs of items are shuffled.
    """
    n_blocks = max(1, entries.sparkSession.sparkContext.defaultParallelism)
    keys = keys_of_partitions(n_blocks)
    baskets = entries.groupBy("src").agg(
        F.collect_list(F.col("index").cast("int")).alias("indexes"),
        F.collect_list(F.col("size").cast("int")).alias("sizes"),
    )
    touched = F.array_distinct(F.transform("indexes", lambda index: F.pmod(index, F.lit(n_blocks))))
    copies = baskets.select(F.explode(touched).alias("block"), "indexes", "sizes")
    key = F.element_at(F.array(*[F.lit(key) for key in keys]), F.col("block") + 1)
    placed = copies.withColumn("_key", key).repartition(n_blocks, "_key").drop("_key")
    return placed.mapInArrow(_block_kernel(n_blocks, k, similarity), _PAIR_COLUMNS)


def _block_kernel(
    n_blocks: int, k: int, similarity: Similarity
) -> Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    def kernel(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        received = [batch for batch in batches if batch.num_rows]
        if not received:
            return
        table = pa.Table.from_batches(received)
        block = int(table["block"][0].as_py())
        baskets, sizes = _as_matrix(table)
        rows = np.arange(block, baskets.shape[1], n_blocks)
        rows = rows[sizes[rows] > 0]
        for src, dst, value, shared in most_similar(
            baskets, sizes, rows, k=k, similarity=similarity
        ):
            columns = [pa.array(src), pa.array(dst), pa.array(value), pa.array(shared)]
            yield pa.RecordBatch.from_arrays(
                columns, names=["src_index", "dst_index", "weight", "n_shared"]
            )

    return kernel


def _as_matrix(table: pa.Table) -> tuple[sparse.csr_array, npt.NDArray[np.float64]]:
    """The baskets as int32[baskets, items] of ones, and the sizes of the items, float64[items]."""
    indexes = table["indexes"].combine_chunks()
    flat = indexes.flatten().to_numpy(zero_copy_only=False)
    lengths = indexes.value_lengths().to_numpy(zero_copy_only=False)
    starts = np.r_[0, np.cumsum(lengths, dtype=np.int64)]
    sizes = np.zeros(int(flat.max()) + 1)
    sizes[flat] = table["sizes"].combine_chunks().flatten().to_numpy(zero_copy_only=False)
    ones = np.ones(len(flat), dtype=np.int32)
    matrix = sparse.csr_array((ones, flat, starts), shape=(len(lengths), len(sizes)))
    matrix.sort_indices()
    return matrix, sizes


def _pairs_by_join(entries: DataFrame, k: int, similarity: Similarity) -> DataFrame:
    """Find the pairs by a Spark join of all pairs of each basket: slower, but for any size."""
    left = entries.select("src", F.col("index").alias("src_index"), F.col("size").alias("_size"))
    right = entries.select("src", F.col("index").alias("dst_index"), F.col("size").alias("_other"))
    pairs = left.join(right, "src", how="inner").where("src_index <> dst_index")
    ends = pairs.groupBy("src_index", "dst_index")
    shared = ends.agg(
        F.count("*").alias("n_shared"),
        F.first("_size").alias("_size"),
        F.first("_other").alias("_other"),
    )
    weighed = shared.withColumn("weight", _similarity_column(similarity)).where("weight > 0")
    best_first = Window.partitionBy("src_index").orderBy(F.desc("weight"), "dst_index")
    ranked = weighed.withColumn("_rank", F.row_number().over(best_first)).where(F.col("_rank") <= k)
    return ranked.select("src_index", "dst_index", "weight", "n_shared")


def _similarity_column(similarity: Similarity) -> Column:
    """Similarity.of as a column."""
    shared, size, other = (F.col(name).cast("double") for name in ("n_shared", "_size", "_other"))
    if similarity.measure == "cosine":
        value = shared / F.sqrt(size * other)
    elif similarity.measure == "jaccard":
        value = shared / (size + other - shared)
    else:
        value = F.greatest(F.log(shared * similarity.n_baskets / (size * other)), F.lit(0.0))
    return value * (shared / (shared + similarity.shrinkage)) if similarity.shrinkage else value


def _named(pairs: DataFrame, catalogue: DataFrame) -> DataFrame:
    src = catalogue.select(F.col("id").alias("src"), F.col("index").alias("src_index"))
    dst = catalogue.select(F.col("id").alias("dst"), F.col("index").alias("dst_index"))
    named = pairs.join(src, "src_index", how="inner").join(dst, "dst_index", how="inner")
    return named.select("src", "dst", "weight", "n_shared")
