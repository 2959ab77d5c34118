"""The training pairs as every model takes them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from interest_graph.builds import newest_build
from interest_graph.errors import TrainingError
from interest_graph.ids import user_item_pairs

# Users with so many edges give at least one of them for validation.
_GIVES_ONE = 5


@dataclass(frozen=True)
class EdgeCounts:
    """Size of the training graph."""

    n_edges: int
    n_users: int
    n_items: int


@runtime_checkable
class Bounded(Protocol):
    """A model that needs memory for the whole graph in one worker."""

    def fits(self, counts: EdgeCounts) -> bool:
        """Whether train.worker_mb allows for a graph of that size."""
        ...


def size_of(edges: DataFrame) -> EdgeCounts:
    """Count edges, users and items."""
    distinct = [F.countDistinct(column) for column in ("user_id", "item_id")]
    return EdgeCounts(*edges.agg(F.count("*"), *distinct).collect()[0])


def count_edges(edges: DataFrame) -> EdgeCounts:
    """Count edges, users and items. Raises TrainingError when there are none."""
    counts = size_of(edges)
    if counts.n_edges == 0:
        raise TrainingError("there are no user-item edges to train on")
    return counts


@dataclass(frozen=True)
class TrainingGraph:
    """The graph that was built last. edges: user_id, item_id, weight, cached."""

    version: str
    edges: DataFrame
    counts: EdgeCounts


@contextmanager
def newest_graph(edges: DataFrame, versions: DataFrame) -> Iterator[TrainingGraph]:
    """The newest graph's pairs, kept in memory while the block runs.

    edges, versions: graph.edges and graph.versions. Raises TrainingError when there are no pairs.
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
    """Split edges into those to fit to and about `fraction` of each user's for validation.

    edges: user_id, item_id, one row per pair; further columns are kept. Every user with five edges
    or more gives at least one: drawn over all edges alike, the validation would be of the users
    with long histories, whose best settings are not everybody's. Users with fewer give one with
    probability fraction * n. Seeded hashes decide, so the partitioning does not matter.
    """
    by_user = Window.partitionBy("user_id")
    n_edges = F.count("*").over(by_user)
    # By pair, not by item: else all users would give the same items, which nobody could then learn.
    order = F.xxhash64(F.lit(seed), "user_id", "item_id")
    place = F.row_number().over(by_user.orderBy(order, "item_id"))
    # xxhash64 is uniform over all 64-bit integers: this maps it to [0, 1).
    draw = F.xxhash64(F.lit(seed), "user_id") / F.lit(2.0**64) + 0.5
    n_given = F.greatest(F.floor(n_edges * fraction + draw), (n_edges >= _GIVES_ONE).cast("bigint"))
    drawn = edges.withColumns({"_place": place, "_n_given": n_given})
    is_held_out = F.col("_place") <= F.col("_n_given")
    kept, given = drawn.where(~is_held_out), drawn.where(is_held_out)
    return kept.drop("_place", "_n_given"), given.drop("_place", "_n_given")


def with_validation(edges: DataFrame, validation: DataFrame | None) -> DataFrame:
    """Edges and validation pairs in one frame, told apart by is_held_out.

    Validation pairs keep their weight where they have one; otherwise it is 1.
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
    """user_id, item_id, weight of edges and validation pairs alike: what the final fit learns."""
    return with_validation(edges, validation).drop("is_held_out")
