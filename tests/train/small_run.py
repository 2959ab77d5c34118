"""One small LightGCN run that several tests repeat in different circumstances."""

from __future__ import annotations

from typing import Any

import numpy as np
from pyspark.sql import DataFrame, SparkSession
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


def small_pairs(spark: SparkSession) -> tuple[DataFrame, DataFrame]:
    """Known pairs and held-out ones of the same three groups."""
    known = planted_matrix(60, 30, 3, 0.6, seed=2)
    held_out = planted_matrix(60, 30, 3, 0.1, seed=3)
    held_out[known.nonzero()] = 0
    return frame_of(spark, known), frame_of(spark, held_out)


def fit_small(spark: SparkSession, work_dir: str, **changes: Any) -> dict[str, np.ndarray]:
    """Users' and items' vectors, in the order of their ids; changes: other settings."""
    model = LightGCN(spark, TrainConfig.model_validate({**SETTINGS, **changes}), work_dir)
    fitted = model.fit(*small_pairs(spark))
    return {"users": matrix_of(fitted.user_vectors), "items": matrix_of(fitted.item_vectors)}
