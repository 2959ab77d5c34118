"""Training edges, user_id, item_id, weight: read from the graph, counted, split for validation."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol, runtime_checkable
from weakref import WeakKeyDictionary

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from interest_graph.builds import newest_build
from interest_graph.errors import TrainingError
from interest_graph.ids import user_item_pairs

# A user with at least so many edges has at least one of them held out.
_MIN_EDGES_TO_HOLD_OUT = 5


@dataclass(frozen=True)
class EdgeCounts:
    """Size of the training graph."""

    n_edges: int
    n_users: int
    n_items: int


@runtime_checkable
class MemoryBound(Protocol):
    """A model that needs memory for the whole graph in one worker."""

    def fits(self, counts: EdgeCounts) -> bool:
        """Whether train.worker_mb allows for a graph of that size."""
        ...


def fits_memory(model: object, counts: EdgeCounts) -> bool:
    """Whether a worker has the memory for the model, if it needs the whole graph in one."""
    return not isinstance(model, MemoryBound) or model.fits(counts)


# Of frames that still exist: every model asks for the size of what it is fitted to.
_known_sizes: WeakKeyDictionary[DataFrame, EdgeCounts] = WeakKeyDictionary()


def size_of(edges: DataFrame) -> EdgeCounts:
    """Count edges, users and items, once a frame: a frame's rows never change."""
    if edges not in _known_sizes:
        distinct = [F.countDistinct(column) for column in ("user_id", "item_id")]
        _known_sizes[edges] = EdgeCounts(*edges.agg(F.count("*"), *distinct).collect()[0])
    return _known_sizes[edges]


def count_edges(edges: DataFrame) -> EdgeCounts:
    """Count edges, users and items. Raises TrainingError when there are none."""
    counts = size_of(edges)
    if counts.n_edges == 0:
        raise TrainingError("there are no user-item edges to train on")
    return counts


@dataclass(frozen=True)
class TrainingGraph:
    """The user-item edges of one graph version. edges: user_id, item_id, weight, cached."""

    version: str
    edges: DataFrame
    counts: EdgeCounts


@contextmanager
def newest_graph(edges: DataFrame, versions: DataFrame) -> Iterator[TrainingGraph]:
    """The user-item edges of the newest graph version, cached while the block runs.

    edges, versions: graph.edges and graph.versions. Raises TrainingError without a graph or edges.
    """
    newest = newest_build(versions)
    if newest is None:
        raise TrainingError("no graph has been built")
    version = str(newest["graph_version"])
    pairs = user_item_pairs(edges.where(F.col("graph_version") == version)).persist()
    try:
        yield TrainingGraph(version, pairs, count_edges(pairs))
    finally:
        pairs.unpersist()


def hold_out_edges(edges: DataFrame, fraction: float, seed: int) -> tuple[DataFrame, DataFrame]:
    """Split edges into a training part and held-out pairs, about `fraction` of each user's edges.

    edges: user_id, item_id, one row per pair; further columns are kept. Returns (training, held
    out). Pairs are held out per user: a uniform draw over edges would validate mostly on heavy
    users. Users with five edges or more have at least one held out, users with fewer one with
    probability fraction * n, but never a user's only edge: nothing else is known of them. The draw
    hashes ids with the seed: the same however rows are ordered.
    """
    by_user = Window.partitionBy("user_id")
    n_edges = F.count("*").over(by_user)
    # Hash the pair, not the item alone: else the same items would be held out for every user, and
    # no edge of theirs would be left to learn from.
    order = F.xxhash64(F.lit(seed), "user_id", "item_id")
    place = F.row_number().over(by_user.orderBy(order, "item_id"))
    # xxhash64 is uniform over all 64-bit integers: this maps it to [0, 1).
    draw = F.xxhash64(F.lit(seed), "user_id") / F.lit(2.0**64) + 0.5
    at_least = (n_edges >= _MIN_EDGES_TO_HOLD_OUT).cast("bigint")
    n_held_out = F.greatest(F.floor(n_edges * fraction + draw), at_least)
    n_held_out = F.least(n_held_out, n_edges - 1)
    drawn = edges.withColumns({"_place": place, "_n_held_out": n_held_out})
    is_held_out = F.col("_place") <= F.col("_n_held_out")
    kept, held_out = drawn.where(~is_held_out), drawn.where(is_held_out)
    return kept.drop("_place", "_n_held_out"), held_out.drop("_place", "_n_held_out")


def sample_users(pairs: DataFrame, at_most: int, seed: int) -> DataFrame:
    """user_id of at most `at_most` users that have pairs; a hash with the seed decides which."""
    users = pairs.select("user_id").distinct()
    return users.orderBy(F.xxhash64("user_id", F.lit(seed)), "user_id").limit(at_most)


def with_validation(edges: DataFrame, validation: DataFrame | None) -> DataFrame:
    """Union of edges and validation pairs: user_id, item_id, weight, is_held_out.

    Validation pairs without a weight column get weight 1.
    """
    known = edges.select("user_id", "item_id", "weight", F.lit(False).alias("is_held_out"))
    if validation is None:
        return known
    weight = F.col("weight") if "weight" in validation.columns else F.lit(1.0)
    return known.unionByName(
        validation.select(
            "user_id", "item_id", weight.alias("weight"), F.lit(True).alias("is_held_out")
        )
    )


def all_pairs(edges: DataFrame, validation: DataFrame | None) -> DataFrame:
    """Union of edges and validation pairs, for the final fit: user_id, item_id, weight."""
    return with_validation(edges, validation).drop("is_held_out")
