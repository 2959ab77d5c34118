"""EASE confined to each item's nearest neighbours."""

from __future__ import annotations

from functools import partial

from pyspark.sql import SparkSession

from interest_graph.config.train import TrainConfig
from interest_graph.train import item_item
from interest_graph.train.whole_matrix import Recipe, WholeMatrixModel, blockwise_bytes


def local_ease(spark: SparkSession, config: TrainConfig, _work_dir: str) -> WholeMatrixModel:
    """A ridge regression of each item on its nearest neighbours, shared out to all workers.

    Steck, WWW 2019 with the feature selection of Ning, Karypis, ICDM 2011.
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
