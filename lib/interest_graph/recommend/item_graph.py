"""The parts of the interest graph that reasons need: as frames, packed, and read in workers.

Packed, the graph lies in blocks of items. `route` takes from each block what each group of users
needs, so that a worker holds the neighbourhood of its users' items and never the whole graph.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import reduce

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from scipy.sparse import csr_array

from interest_graph.ids import pairs_of_kind
from interest_graph.recommend.packed import (
    PACKED_COLUMNS,
    Streams,
    blocks_of,
    codes_in,
    decoded,
    encoded,
    gathered,
    pack,
    pack_table,
    sorted_texts,
    streams_in,
    unpack,
)
from interest_graph.recommend.paths import ItemGraph
from interest_graph.weight_blocks import positions_in

NAMES, NEAR, ABOUT = "names", "near", "about"
RECOMMENDED, MET = "recommended", "met"

# Whose rows a group of users needs: paths end at recommended items and start at items of histories.
_NEEDED_FOR = {NEAR: (RECOMMENDED,), ABOUT: (RECOMMENDED, MET), NAMES: (RECOMMENDED, MET)}


def item_item_edges(edges: DataFrame) -> DataFrame:
    """item_id, other_id, weight of the item-item edges in graph.edges."""
    return pairs_of_kind(edges, "item_item", "item_id", "other_id")


def item_interests(edges: DataFrame, vertices: DataFrame) -> DataFrame:
    """item_id, interest (its name), weight of the item-interest edges in graph.edges."""
    tagged = pairs_of_kind(edges, "item_interest", "item_id", "interest_id")
    named = names_of(vertices, "interest").withColumnsRenamed(
        {"key": "interest_id", "name": "interest"}
    )
    return tagged.join(named, "interest_id", how="inner").drop("interest_id")


def names_of(vertices: DataFrame, kind: str) -> DataFrame:
    """key, name of the vertices of one kind; the key where no name is known, on one line."""
    name = F.coalesce(F.nullif(F.trim("name"), F.lit("")), F.col("key"))
    one_line = F.regexp_replace(name, r"\s+", " ").alias("name")
    return vertices.where(F.col("kind") == kind).select("key", one_line)


def pack_graph(edges: DataFrame, vertices: DataFrame, n_blocks: int) -> DataFrame:
    """The item side of the graph as PACKED_COLUMNS; an edge lies in the blocks of both its items.

    NAMES: item_id, text; NEAR: item_id, text (the other item), weight, is_reverse; ABOUT: item_id,
    text (the interest), weight.
    """
    weight = F.col("weight").cast("float").alias("weight")
    names = names_of(vertices, "item").withColumnsRenamed({"key": "item_id", "name": "text"})
    about = item_interests(edges, vertices).withColumnRenamed("interest", "text")
    near = item_item_edges(edges).withColumnRenamed("other_id", "text")
    block = blocks_of(n_blocks, block="item_id")
    other_block = blocks_of(n_blocks, other_block="text")
    parts = [
        pack(names.select("item_id", "text", *block), NAMES),
        pack(about.select("item_id", "text", weight, *block), ABOUT),
        near.select("item_id", "text", weight, *block, *other_block).mapInArrow(
            pack_near, PACKED_COLUMNS
        ),
    ]
    return reduce(DataFrame.unionByName, parts)


def pack_near(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Pack item-item edges at both ends.

    batches: item_id, text (the other item), weight and, with several blocks, block, other_block.
    """
    other = {"item_id": "text", "text": "item_id", "block": "other_block"}
    for table in map(encoded, gathered(batches)):
        ends = [name for name in table.column_names if name != "other_block"]
        forward, reverse = table.select(ends), table.select([other.get(n, n) for n in ends])
        for rows, is_reverse in ((forward, False), (reverse.rename_columns(ends), True)):
            marks = pa.repeat(is_reverse, rows.num_rows)
            yield from pack_table(rows.append_column("is_reverse", marks), NEAR)


def route(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """From one block of the graph, for each group of users, the rows of the items it needs.

    batches: PACKED_COLUMNS; the graph's have no group; those named RECOMMENDED and MET hold the
    item_id of items that the users of a group were recommended or have met.
    """
    streams: dict[int | None, Streams] = {}
    for batch in batches:
        for group, name, stream in streams_in(batch):
            streams.setdefault(group, {}).setdefault(name, []).append(stream)
    graph = unpack(streams.pop(None, {}))
    for group, parts in streams.items():
        needed = {name: codes_in(table, "item_id")[1] for name, table in unpack(parts).items()}
        for name, table in graph.items():
            items = [needed[kind] for kind in _NEEDED_FOR[name] if kind in needed]
            rows = _rows_of(table, sorted_texts(items))
            groups = pa.array(np.full(rows.num_rows, group, dtype=np.int32))
            yield from pack_table(rows.append_column("user_group", groups), name)


def read_item_graph(tables: Mapping[str, pa.Table]) -> tuple[pa.StringArray, ItemGraph]:
    """Item ids in order, and the graph of these items, from unpacked tables by name.

    Edges of items without a row in NAMES are left out.
    """
    item_ids, names = _read_names(tables.get(NAMES))
    interests = sorted_texts([codes_in(tables[ABOUT], "text")[1]] if ABOUT in tables else [])
    about = _matrix(tables.get(ABOUT), item_ids, interests)
    edges = [
        tables[NEAR].filter(pc.equal(tables[NEAR]["is_reverse"], is_reverse)).combine_chunks()
        for is_reverse in (False, True)
        if NEAR in tables
    ]
    near = reduce(
        csr_array.maximum, [_matrix(table, item_ids, item_ids) for table in edges or [None]]
    )
    return item_ids, ItemGraph(near.tocsr(), about, names, interests.to_pylist())


def _rows_of(table: pa.Table, items: pa.StringArray) -> pa.Table:
    """The rows whose item_id is among the items."""
    codes, known = codes_in(table, "item_id")
    is_wanted = pc.is_in(known, value_set=items)
    return decoded(table.filter(is_wanted.take(pa.array(codes))))


def _read_names(table: pa.Table | None) -> tuple[pa.StringArray, list[str]]:
    """Ids of the items, in order, and their names."""
    if table is None:
        return pa.array([], pa.string()), []
    ids, names = (table.column(name).chunk(0).dictionary_decode() for name in ("item_id", "text"))
    order = pc.sort_indices(ids)
    return ids.take(order), names.take(order).to_pylist()


def _matrix(table: pa.Table | None, rows: pa.StringArray, columns: pa.StringArray) -> csr_array:
    """float32[n_rows, n_columns] of weights by item_id and text; unknown ones are left out."""
    shape = (len(rows), len(columns))
    if table is None or table.num_rows == 0:
        return csr_array(shape, dtype=np.float32)
    (item, item_ids), (other, texts) = codes_in(table, "item_id"), codes_in(table, "text")
    places = positions_in(rows, item_ids)[item], positions_in(columns, texts)[other]
    is_known = (places[0] >= 0) & (places[1] >= 0)
    weights = table.column("weight").chunk(0).to_numpy()
    entries = (weights[is_known], tuple(ends[is_known] for ends in places))
    return csr_array(entries, shape=shape)
