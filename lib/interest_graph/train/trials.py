"""How candidate settings fared on the validation pairs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pyspark.sql import DataFrame, SparkSession

TRIAL_COLUMNS = "trial BIGINT, metric DOUBLE, seconds DOUBLE, peak_memory_mb DOUBLE"
LOG_COLUMNS = """
    model STRING NOT NULL, round INT NOT NULL, shard_id INT NOT NULL, loss DOUBLE, metric DOUBLE,
    seconds DOUBLE NOT NULL, peak_memory_mb DOUBLE NOT NULL"""


@dataclass(frozen=True)
class Trial:
    """Candidate number `trial` (from 0): NDCG, wall time and peak resident memory of the worker."""

    trial: int
    metric: float
    seconds: float
    peak_memory_mb: float


def log_of(spark: SparkSession, model: str, trials: Sequence[Trial]) -> DataFrame | None:
    """The trials as rows of model.training_log, a trial being a round; None without trials."""
    if not trials:
        return None
    rows = [(model, t.trial + 1, -1, None, t.metric, t.seconds, t.peak_memory_mb) for t in trials]
    return spark.createDataFrame(rows, LOG_COLUMNS)
