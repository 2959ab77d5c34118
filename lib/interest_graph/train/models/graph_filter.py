"""A graph convolution without training: the low-pass filter of the item-item graph."""

from __future__ import annotations

from itertools import product

from pyspark.sql import SparkSession
from scipy import sparse

from interest_graph.config.base import Section
from interest_graph.config.train import TrainConfig
from interest_graph.train import item_item
from interest_graph.train.edges import EdgeCounts
from interest_graph.train.ranking import Codes
from interest_graph.train.whole_matrix import Recipe, WholeMatrixModel


class Exponents(Section):
    """One candidate."""

    user: float
    src: float
    dst: float
    keep: int


def graph_filter(
    spark: SparkSession, config: TrainConfig, _work_dir: str
) -> WholeMatrixModel[Exponents]:
    """R'R with degree exponents, exact, pruned to the strongest weights of each item.

    Shen et al., How powerful is graph convolution for recommendation?, CIKM 2021.
    """
    settings = config.graph_filter
    grid = product(settings.user_exponent, settings.src_exponent, settings.dst_exponent)
    keep = settings.weights_per_item
    return WholeMatrixModel(
        spark=spark,
        name="graph_filter",
        candidates=tuple(Exponents(user=u, src=s, dst=d, keep=keep) for u, s, d in grid),
        recipe=Recipe(
            kernel=_weights,
            rows="src",
            is_divisible=True,
            bytes_needed=lambda counts: _bytes(counts, keep),
        ),
        budget_mb=config.worker_mb,
        validation=config.validation,
        seed=config.seed,
    )


def _weights(matrix: sparse.csr_matrix, items: Codes, settings: Exponents) -> sparse.csr_matrix:
    return item_item.graph_filter(matrix, items, **settings.model_dump())


def _bytes(counts: EdgeCounts, keep: int) -> float:
    """Edges as ids and as matrices, one block of products, and the weights that are kept."""
    return 150 * counts.n_edges + 512 * 24 * counts.n_items + 24 * keep * counts.n_items
