"""Item-based nearest neighbours."""

from __future__ import annotations

from functools import partial

from pyspark.sql import SparkSession

from interest_graph.config.train import TrainConfig
from interest_graph.train import item_item
from interest_graph.train.whole_matrix import Recipe, WholeMatrixModel, blockwise_bytes


def item_knn(spark: SparkSession, config: TrainConfig, _work_dir: str) -> WholeMatrixModel:
    """Cosine similarity of the items' user columns, shrunk and cut to the nearest neighbours.

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
