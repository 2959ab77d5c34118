"""EASE: a closed-form linear autoencoder of items."""

from __future__ import annotations

from pyspark.sql import SparkSession
from scipy import sparse

from interest_graph.config.base import Section
from interest_graph.config.train import TrainConfig
from interest_graph.train import item_item
from interest_graph.train.edges import EdgeCounts
from interest_graph.train.ranking import Codes
from interest_graph.train.whole_matrix import Recipe, WholeMatrixModel


class Regression(Section):
    """One candidate."""

    l2: float
    item_exponent: float
    keep: int


def ease(spark: SparkSession, config: TrainConfig, _work_dir: str) -> WholeMatrixModel[Regression]:
    """Each item's column regressed on all others; excellent to some ten thousand items.

    Steck, Embarrassingly shallow autoencoders for sparse data, WWW 2019.
    """
    settings = config.ease
    shared = {"item_exponent": settings.item_exponent, "keep": settings.weights_per_item}
    return WholeMatrixModel(
        spark=spark,
        name="ease",
        candidates=tuple(Regression(l2=l2, **shared) for l2 in settings.l2),
        recipe=Recipe(kernel=_weights, rows="dst", is_divisible=False, bytes_needed=_bytes),
        budget_mb=config.worker_mb,
        validation=config.validation,
        seed=config.seed,
    )


def _weights(matrix: sparse.csr_matrix, items: Codes, settings: Regression) -> sparse.csr_matrix:
    return item_item.ease(
        matrix, items, keep=settings.keep, l2=settings.l2, item_exponent=settings.item_exponent
    )


def _bytes(counts: EdgeCounts) -> float:
    """Edges, R'R at 12 bytes a cell at worst, and the dense matrix that is inverted in place."""
    return 150 * counts.n_edges + 20 * counts.n_items**2
