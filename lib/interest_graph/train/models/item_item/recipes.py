"""Models whose item-item weights are computed in closed form."""

from __future__ import annotations

from functools import partial
from itertools import product

from pyspark.sql import SparkSession

from interest_graph.config.train import TrainConfig
from interest_graph.train.edges import EdgeCounts
from interest_graph.train.kernels import item_item
from interest_graph.train.models.item_item.base import Recipe, WholeMatrixModel, blockwise_bytes


def ease(spark: SparkSession, config: TrainConfig, _work_dir: str) -> WholeMatrixModel:
    """Ridge regression of each item's column on all others, for up to some ten thousand items.

    One worker inverts a dense matrix [n_items, n_items]: Steck, Embarrassingly shallow autoencoders
    for sparse data, WWW 2019.
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
    """Peak bytes: edges, R'R (12 bytes a cell if full), and a float64 matrix, inverted in place."""
    return 150 * counts.n_edges + 20 * counts.n_items**2


def local_ease(spark: SparkSession, config: TrainConfig, _work_dir: str) -> WholeMatrixModel:
    """Ridge regression of each item on its nearest neighbours only, divided among all workers.

    EASE (Steck, WWW 2019) with the feature selection of SLIM (Ning, Karypis, ICDM 2011).
    """
    settings = config.local_ease
    shared = {
        "neighbours": settings.neighbours,
        "user": settings.user_exponent,
        "item_exponent": settings.item_exponent,
    }
    needed = partial(blockwise_bytes, kept=settings.neighbours, bytes_per_edge=200)
    return WholeMatrixModel(
        spark=spark,
        config=config,
        name="local_ease",
        recipe=Recipe(item_item.local_ease, rows="dst", bytes_needed=needed),
        candidates=tuple({"l2": l2, **shared} for l2 in settings.l2),
    )


def item_knn(spark: SparkSession, config: TrainConfig, _work_dir: str) -> WholeMatrixModel:
    """Cosine similarity of the items' columns, shrunk, for the nearest neighbours of each item.

    Sarwar et al., Item-based collaborative filtering recommendation algorithms, WWW 2001.
    """
    settings = config.item_knn
    needed = partial(blockwise_bytes, kept=max(settings.neighbours))
    return WholeMatrixModel(
        spark=spark,
        config=config,
        name="item_knn",
        recipe=Recipe(item_item.cosine_neighbours, rows="src", bytes_needed=needed),
        candidates=tuple(
            {"neighbours": n, "shrinkage": settings.shrinkage} for n in settings.neighbours
        ),
    )


def graph_filter(spark: SparkSession, config: TrainConfig, _work_dir: str) -> WholeMatrixModel:
    """Linear low-pass filter: R'R scaled by powers of the degrees; keeps each item's top weights.

    Shen et al., How powerful is graph convolution for recommendation?, CIKM 2021; with sharpening
    the linear filter of BSPM, Choi et al., SIGIR 2023.
    """
    settings = config.graph_filter
    keep = settings.weights_per_item
    needed = partial(blockwise_bytes, kept=keep)
    grid = product(
        settings.user_exponent, settings.src_exponent, settings.dst_exponent, settings.sharpening
    )
    return WholeMatrixModel(
        spark=spark,
        config=config,
        name="graph_filter",
        recipe=Recipe(item_item.graph_filter, rows="src", bytes_needed=needed),
        candidates=tuple(
            {"user": user, "src": src, "dst": dst, "sharpening": time, "keep": keep}
            for user, src, dst, time in grid
        ),
    )
