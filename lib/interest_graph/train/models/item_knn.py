"""Item-based nearest neighbours."""

from __future__ import annotations

from pyspark.sql import SparkSession
from scipy import sparse

from interest_graph.config.base import Section
from interest_graph.config.train import TrainConfig
from interest_graph.train.edges import EdgeCounts
from interest_graph.train.item_item import cosine_neighbours
from interest_graph.train.ranking import Codes
from interest_graph.train.whole_matrix import Recipe, WholeMatrixModel


class Neighbourhood(Section):
    """One candidate."""

    neighbours: int
    shrinkage: float


def item_knn(
    spark: SparkSession, config: TrainConfig, _work_dir: str
) -> WholeMatrixModel[Neighbourhood]:
    """Cosine similarity of the items' user columns, shrunk and cut to the nearest neighbours.

    Sarwar et al., Item-based collaborative filtering recommendation algorithms, WWW 2001.
    """
    settings = config.item_knn
    return WholeMatrixModel(
        spark=spark,
        name="item_knn",
        candidates=tuple(
            Neighbourhood(neighbours=count, shrinkage=settings.shrinkage)
            for count in settings.neighbours
        ),
        recipe=Recipe(
            kernel=_weights,
            rows="src",
            is_divisible=True,
            bytes_needed=lambda counts: _bytes(counts, max(settings.neighbours)),
        ),
        budget_mb=config.worker_mb,
        validation=config.validation,
        seed=config.seed,
    )


def _weights(matrix: sparse.csr_matrix, items: Codes, settings: Neighbourhood) -> sparse.csr_matrix:
    return cosine_neighbours(
        matrix, items, neighbours=settings.neighbours, shrinkage=settings.shrinkage
    )


def _bytes(counts: EdgeCounts, neighbours: int) -> float:
    """Ids and triples, the matrix twice, one block of products, and the neighbours."""
    return 150 * counts.n_edges + 512 * 24 * counts.n_items + 24 * neighbours * counts.n_items
