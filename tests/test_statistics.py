"""Exact quantiles against NumPy, for hundreds of random groups in one frame."""

from __future__ import annotations

import numpy as np
from pyspark.sql import functions as F

from interest_graph.statistics import median, quantile, rank_values

LEVELS = (0.1, 0.25, 0.5, 0.9, 0.999)


def test_quantiles_and_medians_are_numpys_for_any_partitioning(spark):
    draw = np.random.default_rng(1)
    groups = {g: draw.integers(-9, 9, size=draw.integers(1, 40)) / 10 for g in range(200)}
    rows = [(g, float(value)) for g, values in groups.items() for value in values]
    frame = spark.createDataFrame(rows, "g INT, value DOUBLE").repartition(7, "value")

    levels = [quantile(level).alias(str(level)) for level in LEVELS]
    found = rank_values(frame, ["g"]).groupBy("g").agg(median().alias("m"), *levels).collect()

    assert len(found) == len(groups)
    for row in found:
        values = groups[row.g]
        expected = np.quantile(values, LEVELS, method="inverted_cdf")
        assert [row[str(level)] for level in LEVELS] == expected.tolist()
        assert row.m == np.median(values)


def test_ranks_count_equal_values_once(spark):
    frame = spark.createDataFrame([("a", 0.0), ("a", -0.0), ("a", 2.0)], "g STRING, value DOUBLE")

    ranked = rank_values(frame, ["g"]).orderBy(F.col("value"))

    assert [tuple(row) for row in ranked.collect()] == [("a", 0.0, 2, 2, 3), ("a", 2.0, 1, 3, 3)]
