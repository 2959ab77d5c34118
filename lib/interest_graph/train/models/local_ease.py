"""EASE confined to each item's nearest neighbours."""

from __future__ import annotations

from pyspark.sql import SparkSession
from scipy import sparse

from interest_graph.config.base import Section
from interest_graph.config.train import TrainConfig
from interest_graph.train import item_item
from interest_graph.train.edges import EdgeCounts
from interest_graph.train.ranking import Codes
from interest_graph.train.whole_matrix import Recipe, WholeMatrixModel


class LocalRegression(Section):
    """One candidate."""

    neighbours: int
    user: float
    l2: float
    item_exponent: float


def local_ease(
    spark: SparkSession, config: TrainConfig, _work_dir: str
) -> WholeMatrixModel[LocalRegression]:
    """A ridge regression of each item on its nearest neighbours, shared out to all workers.

    Steck, WWW 2019 with the feature selection of Ning, Karypis, ICDM 2011.
    """
    settings = config.local_ease
    shared = {
        "neighbours": settings.neighbours,
        "user": settings.user_exponent,
        "item_exponent": settings.item_exponent,
    }
    return WholeMatrixModel(
        spark=spark,
        name="local_ease",
        recipe=Recipe(
            kernel=_weights,
            rows="dst",
            is_divisible=True,
            bytes_needed=lambda counts: _bytes(counts, settings.neighbours),
        ),
        candidates=tuple(LocalRegression(l2=l2, **shared) for l2 in settings.l2),
        budget_mb=config.worker_mb,
        validation=config.validation,
        seed=config.seed,
    )


def _weights(
    matrix: sparse.csr_matrix, items: Codes, settings: LocalRegression
) -> sparse.csr_matrix:
    return item_item.local_ease(matrix, items, **settings.model_dump())


def _bytes(counts: EdgeCounts, neighbours: int) -> float:
    """Edges as ids and as matrices, one block of products, and the weights that are kept."""
    return 200 * counts.n_edges + 512 * 24 * counts.n_items + 24 * neighbours * counts.n_items
