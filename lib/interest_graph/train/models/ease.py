"""EASE: a closed-form linear autoencoder of items."""

from __future__ import annotations

from pyspark.sql import SparkSession

from interest_graph.config.train import TrainConfig
from interest_graph.train import item_item
from interest_graph.train.edges import EdgeCounts
from interest_graph.train.whole_matrix import Recipe, WholeMatrixModel


def ease(spark: SparkSession, config: TrainConfig, _work_dir: str) -> WholeMatrixModel:
    """Each item's column regressed on all others; excellent to some ten thousand items.

    Steck, Embarrassingly shallow autoencoders for sparse data, WWW 2019.
    """
    settings = config.ease
    shared = {"item_exponent": settings.item_exponent, "keep": settings.weights_per_item}
    return WholeMatrixModel(
        spark=spark,
        config=config,
        name="ease",
        recipe=Recipe(item_item.ease, rows="dst", bytes_needed=_bytes, is_divisible=False),
        candidates=tuple({"l2": l2, **shared} for l2 in settings.l2),
    )


def _bytes(counts: EdgeCounts) -> float:
    """Edges, R'R at 12 bytes a cell at worst, and the dense matrix that is inverted in place."""
    return 150 * counts.n_edges + 20 * counts.n_items**2
