"""Many small rows as few binary ones, so that the item side of a model or graph travels cheaply.

Each packed row holds an Arrow stream with the rows of one block of items; texts are kept once a
packed row. Packed rows go from task to task by a shuffle and never through the driver. In the
partitions of `beside_users` they come before the users who need them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from interest_graph.partition_keys import key_of_partition

# name: what the rows are; block: of items; user_group: the users who need them, null for all.
PACKED_COLUMNS = "name STRING, block INT, user_group INT, data BINARY"
_SCHEMA = pa.schema(
    [
        ("name", pa.string()),
        ("block", pa.int32()),
        ("user_group", pa.int32()),
        ("data", pa.binary()),
    ]
)
_KEYS = ("block", "user_group")

# What a block should hold at most. A worker has about four times as much in memory: the rows as
# received, one table of them, the matrices, and what it computes.
BLOCK_BYTES = 128 * 2**20
# Rows that are packed together: large enough to share texts, small beside a block.
_PACK_BYTES = 16 * 2**20

Tables = dict[str, pa.Table]
Streams = dict[str, list[pa.Buffer]]
Read = TypeVar("Read")


def blocks_of(n_blocks: int, **items: str) -> list[Column]:
    """For each name=column: `name`, INT from 0, the block of the item that the column names.

    Blocks are chosen by hash, so that they are of about one size. A single block needs no columns.
    """
    named = items.items() if n_blocks > 1 else []
    return [_hashed(item_id, n_blocks).alias(name) for name, item_id in named]


def group_of(user_id: str, n_groups: int) -> Column:
    """`user_group` of the user that a column names, INT from 0, by hash."""
    return _hashed(user_id, n_groups).alias("user_group")


def count_blocks(n_bytes: int) -> int:
    """How many blocks items of so many bytes need, at least 1."""
    return max(1, -(-n_bytes // BLOCK_BYTES))


def count_groups(users: DataFrame, n_users: int, *, n_blocks: int, least: int, most: int) -> int:
    """How many groups of users there should be, at least 1.

    Enough for every core, but none smaller than `least` users; enough for groups of `most` users.
    """
    n_cores = users.sparkSession.sparkContext.defaultParallelism
    wanted = max(-(-n_cores // n_blocks), -(-n_users // most))
    return max(1, min(wanted, -(-n_users // least)))


def pack(rows: DataFrame, name: str) -> DataFrame:
    """PACKED_COLUMNS of rows with any columns, by `block` and `user_group` where these are there.

    Without `block`, the rows are of block 0.
    """

    def pack_batches(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for table in gathered(batches):
            yield from pack_table(table, name)

    return rows.mapInArrow(pack_batches, PACKED_COLUMNS)


def gathered(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.Table]:
    """Consecutive batches as tables of about _PACK_BYTES."""
    waiting: list[pa.RecordBatch] = []
    n_bytes = 0
    for batch in batches:
        waiting.append(batch)
        n_bytes += batch.nbytes
        if n_bytes >= _PACK_BYTES:
            yield pa.Table.from_batches(waiting)
            waiting, n_bytes = [], 0
    if waiting:
        yield pa.Table.from_batches(waiting)


def pack_table(table: pa.Table, name: str) -> Iterator[pa.RecordBatch]:
    """One packed row for each block and group of users; see `pack`. Their rows keep their order."""
    keys = {key: table.column(key).to_numpy() for key in _KEYS if key in table.column_names}
    rows = table.drop_columns(list(keys)).combine_chunks()
    order, starts = _pieces(list(keys.values()), table.num_rows)
    if not len(starts):
        return  # no rows, nothing to pack
    if len(starts) == 1:
        found = {key: values[0] for key, values in keys.items()}
        yield packed_row(name, _as_stream(rows), **found)
        return
    rows = decoded(rows).take(pa.array(order)).combine_chunks()
    for start, end in zip(starts, np.r_[starts[1:], len(order)], strict=True):
        found = {key: values[order[start]] for key, values in keys.items()}
        yield packed_row(name, _as_stream(rows.slice(start, end - start)), **found)


def packed_row(
    name: str, stream: pa.Buffer, block: int = 0, user_group: int | None = None
) -> pa.RecordBatch:
    """One packed row of an Arrow stream."""
    values = [name, int(block), user_group, stream.to_pybytes()]
    columns = [pa.array([value], kind) for value, kind in zip(values, _SCHEMA.types, strict=True)]
    return pa.RecordBatch.from_arrays(columns, schema=_SCHEMA)


def encoded(table: pa.Table) -> pa.Table:
    """The table as one chunk, its texts as dictionaries."""
    columns = table.combine_chunks().columns
    kept = [c.dictionary_encode() if pa.types.is_string(c.type) else c for c in columns]
    return pa.table(kept, table.column_names)


def decoded(table: pa.Table) -> pa.Table:
    """The table with plain texts."""
    kept = [c.cast(pa.string()) if pa.types.is_dictionary(c.type) else c for c in table.columns]
    return pa.table(kept, table.column_names)


def codes_in(table: pa.Table, column: str) -> tuple[NDArray[np.int32], pa.StringArray]:
    """An unpacked column of texts: a number a row, and the text of each number."""
    encoded = table.column(column).chunk(0)
    return encoded.indices.to_numpy(), encoded.dictionary


def sorted_texts(texts: Iterable[pa.StringArray]) -> pa.StringArray:
    """The distinct ones of all these texts, in order of their bytes, as Spark orders them."""
    distinct = pa.chunked_array(list(texts), pa.string()).unique()
    return distinct.take(pc.sort_indices(distinct))


def beside_users(users: DataFrame, packed: DataFrame, *, n_blocks: int, n_groups: int) -> DataFrame:
    """Users and packed rows, one partition for each block and group: packed rows first.

    users: user_id (never null), block, user_group, ...; packed: PACKED_COLUMNS; a null group
    stands for every group. Returns both kinds of row, those of users in order of user_id.
    """
    every = F.sequence(F.lit(0), F.lit(n_groups - 1))
    groups = F.when(F.col("user_group").isNull(), every).otherwise(F.array("user_group"))
    spread = packed.withColumn("user_group", F.explode(groups))
    rows = users.unionByName(spread, allowMissingColumns=True)
    n_partitions = n_blocks * n_groups
    placed = rows.withColumn("_place", F.col("user_group") * n_blocks + F.col("block"))
    sent = placed.repartition(n_partitions, key_of_partition("_place", n_partitions))
    return sent.sortWithinPartitions("user_id")  # nulls, those of packed rows, come first


def users_with(
    batches: Iterable[pa.RecordBatch], read: Callable[[Tables], Read]
) -> Iterator[tuple[Read, pa.RecordBatch]]:
    """(what `read` makes of the unpacked tables, users) for each batch of one such partition."""
    streams: Streams = {}
    found: list[Read] = []
    for batch in batches:
        n_packed = batch.column("user_id").null_count
        for _, name, stream in streams_in(batch.slice(0, n_packed)):
            streams.setdefault(name, []).append(stream)
        users = batch.slice(n_packed)
        if users.num_rows:
            if not found:
                found.append(read(unpack(streams)))
                streams.clear()
            yield found[0], users


def streams_in(batch: pa.RecordBatch) -> Iterator[tuple[int | None, str, pa.Buffer]]:
    """(user_group, name, stream) of each packed row."""
    columns = (batch.column(name) for name in ("user_group", "name", "data"))
    for group, name, data in zip(*columns, strict=True):
        yield group.as_py(), name.as_py(), data.as_buffer()


def unpack(streams: Streams) -> Tables:
    """The rows behind packed ones by name, each as one chunk; texts are dictionaries."""
    return {name: _as_table(parts) for name, parts in streams.items()}


def _hashed(key: str, n: int) -> Column:
    return F.pmod(F.xxhash64(key), F.lit(n)).cast("int") if n > 1 else F.lit(0)


def _pieces(
    keys: list[NDArray[np.int32]], n_rows: int
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """An order that brings rows of the same keys together, and where each of the pieces starts."""
    if n_rows == 0:
        return np.arange(0), np.arange(0)
    if all((values == values[0]).all() for values in keys):
        return np.arange(0), np.arange(1)
    order = np.lexsort(keys)
    changes = [np.diff(values[order]) != 0 for values in keys]
    return order, np.flatnonzero(np.r_[True, np.logical_or.reduce(changes)])


def _as_stream(rows: pa.Table) -> pa.Buffer:
    table, sink = encoded(rows), pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def _as_table(streams: Iterable[pa.Buffer]) -> pa.Table:
    tables = [pa.ipc.open_stream(stream).read_all() for stream in streams]
    return pa.concat_tables(tables).unify_dictionaries().combine_chunks()
