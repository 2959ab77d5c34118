"""Item-item weights in Spark: frames of blocks, made from rows, summed, and taken apart again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial, reduce

import pyarrow as pa
from pyspark import StorageLevel
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from interest_graph.partition_keys import key_of_partition
from interest_graph.weight_blocks import (
    BLOCK_COLUMNS,
    ROW_COLUMNS,
    blocks_of_rows,
    read_blocks,
    rows_of_blocks,
    scaled,
    split_by_dst,
    summed,
    write_blocks,
)

# Blocks that a partition holds at most: a worker gets up to 10,000 rows of it as one Arrow batch,
# and a batch whose bytes near 2 GiB cannot be sent.
_PARTITION_BYTES = 512 * 2**20
# Weights that one task adds up, of all models together; about 24 bytes each in memory.
_WEIGHTS_PER_TASK = 8_000_000


def is_blocks(item_weights: DataFrame) -> bool:
    """Whether these are blocks, BLOCK_COLUMNS; if not, they are rows of src, dst, weight.

    Raises ValueError where they are neither.
    """
    columns = set(item_weights.columns)
    if {"n_weights", "data"} <= columns:
        return True
    if missing := [name for name in ("src", "dst", "weight") if name not in columns]:
        raise ValueError(
            f"item weights lack {', '.join(missing)}; columns: {', '.join(item_weights.columns)}"
        )
    return False


def as_blocks(item_weights: DataFrame) -> DataFrame:
    """BLOCK_COLUMNS of weights that come as blocks or as rows of src, dst, weight.

    Raises ValueError where they are neither.
    """
    if is_blocks(item_weights):
        return item_weights
    types = {"src": "string", "dst": "string", "weight": "float"}
    rows = item_weights.select(*(F.col(name).cast(kind) for name, kind in types.items()))
    return rows.mapInArrow(blocks_of_rows, BLOCK_COLUMNS)


def rows_of(item_weights: DataFrame) -> DataFrame:
    """ROW_COLUMNS of weights that come as blocks: src, dst, weight, a row for each weight."""
    return item_weights.mapInArrow(rows_of_blocks, ROW_COLUMNS)


def kept_in_memory(blocks: DataFrame) -> DataFrame:
    """Compute and cache blocks; `unpersist` of what was given releases them.

    Returns them in partitions small enough for a worker.
    """
    blocks.persist(StorageLevel.MEMORY_AND_DISK)
    try:
        by_partition = blocks.groupBy(F.spark_partition_id()).agg(F.sum(F.length("data")))
        sizes = [row[1] for row in by_partition.collect()]
    except BaseException:
        blocks.unpersist()
        raise
    if max(sizes, default=0) <= _PARTITION_BYTES:
        return blocks
    return blocks.repartition(-(-sum(sizes) // (_PARTITION_BYTES // 2)))


def weighted_sum(parts: Sequence[tuple[DataFrame, float]]) -> DataFrame | None:
    """The sum of several models' weights, each times a number, as BLOCK_COLUMNS; None of none.

    parts: (BLOCK_COLUMNS, factor). Tasks add up the weights of a part of the dst items each. One
    small job counts first.
    """
    if len(parts) < 2:
        return _scaled(*parts[0]) if parts else None
    counts = reduce(DataFrame.union, [blocks.select("n_weights") for blocks, _ in parts])
    n_weights = counts.agg(F.sum("n_weights")).collect()[0][0] or 0
    n_cores = counts.sparkSession.sparkContext.defaultParallelism
    n_parts = max(n_cores, -(-n_weights // _WEIGHTS_PER_TASK))
    pieces = [
        blocks.mapInArrow(partial(_pieces, factor, n_parts), f"part INT NOT NULL, {BLOCK_COLUMNS}")
        for blocks, factor in parts
    ]
    by_part = reduce(DataFrame.union, pieces).repartition(
        n_parts, key_of_partition("part", n_parts)
    )
    return by_part.mapInArrow(_sum, BLOCK_COLUMNS)


def _scaled(blocks: DataFrame, factor: float) -> DataFrame:
    if factor == 1:
        return blocks
    return blocks.mapInArrow(partial(_scale, factor), BLOCK_COLUMNS)


def _scale(factor: float, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    for block in read_blocks(batches):
        yield from write_blocks(scaled(block, factor))


def _pieces(
    factor: float, n_parts: int, batches: Iterable[pa.RecordBatch]
) -> Iterator[pa.RecordBatch]:
    for block in read_blocks(batches):
        for part, piece in split_by_dst(scaled(block, factor), n_parts):
            for row in write_blocks(piece):
                column = pa.array([part], pa.int32())
                yield pa.RecordBatch.from_arrays(
                    [column, *row.columns], names=["part", *row.schema.names]
                )


def _sum(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    blocks = list(read_blocks(batches))
    if blocks:
        yield from write_blocks(summed(blocks))
