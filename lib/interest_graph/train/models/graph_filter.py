"""A graph convolution without training: the low-pass filter of the item-item graph."""

from __future__ import annotations

from functools import partial
from itertools import product

from pyspark.sql import SparkSession

from interest_graph.config.train import TrainConfig
from interest_graph.train import item_item
from interest_graph.train.whole_matrix import Recipe, WholeMatrixModel, blockwise_bytes


def graph_filter(spark: SparkSession, config: TrainConfig, _work_dir: str) -> WholeMatrixModel:
    """R'R with degree exponents, exact, pruned to the strongest weights of each item.

    Shen et al., How powerful is graph convolution for recommendation?, CIKM 2021; with sharpening
    the linear half of Choi et al., SIGIR 2023.
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
