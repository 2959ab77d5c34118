"""The training pairs as every model takes them."""

from __future__ import annotations

from dataclasses import dataclass

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from interest_graph.errors import TrainingError


@dataclass(frozen=True)
class EdgeCounts:
    """Size of the training graph."""

    n_edges: int
    n_users: int
    n_items: int


def count_edges(edges: DataFrame) -> EdgeCounts:
    """Count edges, users and items. Raises TrainingError when there are none."""
    distinct = [F.countDistinct(column) for column in ("user_id", "item_id")]
    counts = edges.agg(F.count("*"), *distinct).first()
    if counts is None or counts[0] == 0:
        raise TrainingError("there are no user-item edges to train on")
    return EdgeCounts(*counts)


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
