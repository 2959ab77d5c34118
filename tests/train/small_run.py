"""One small LightGCN run that several tests repeat in different circumstances."""

from __future__ import annotations

import numpy as np
from pyspark.sql import SparkSession
from tests.train.graphs import frame_of, matrix_of, planted_matrix

from interest_graph.config import TrainConfig
from interest_graph.train.models.lightgcn import LightGCN

SETTINGS = {
    "n_shards": 2,
    "dimension": 8,
    "max_rounds": 5,
    "start": "random",  # without the products of a spectral start, which other tests have
    "batch_size": 128,
    "learning_rate": 0.02,
    "patience": 5,
}


def fit_small(spark: SparkSession, work_dir: str) -> dict[str, np.ndarray]:
    """Users' and items' vectors, in the order of their ids."""
    known = planted_matrix(60, 30, 3, 0.6, seed=2)
    held_out = planted_matrix(60, 30, 3, 0.1, seed=3)
    held_out[known.nonzero()] = 0
    model = LightGCN(spark, TrainConfig.model_validate(SETTINGS), work_dir)
    fitted = model.fit(frame_of(spark, known), frame_of(spark, held_out))
    return {"users": matrix_of(fitted.user_vectors), "items": matrix_of(fitted.item_vectors)}
