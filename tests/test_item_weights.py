"""Item-item weights in Spark: rows and blocks, sums, and how large partitions get."""

from __future__ import annotations

import numpy as np
import pytest
from pyspark.sql import functions as F

from interest_graph import item_weights
from interest_graph.cache_scope import persistent_rdds
from interest_graph.item_weights import as_blocks, kept_in_memory, rows_of, weighted_sum
from interest_graph.train.fitted import FittedModel

WEIGHTS = "src STRING, dst STRING, weight FLOAT"


def random_rows(seed, n_items=30, density=0.2):
    """(src, dst, weight), each pair once; numbers that float32 does not hold exactly."""
    rng = np.random.default_rng(seed)
    pairs = np.argwhere(rng.random((n_items, n_items)) < density)
    return [(f"i{j}", f"i{i}", float(np.float32(rng.normal()))) for j, i in pairs]


def frame_of(spark, rows):
    return spark.createDataFrame(rows, WEIGHTS)


def sorted_rows(frame):
    return sorted(tuple(row) for row in frame.collect())


def test_rows_come_back_from_blocks(spark):
    rows = random_rows(1)

    blocks = as_blocks(frame_of(spark, rows).repartition(2))

    assert blocks.agg(F.sum("n_weights")).first()[0] == len(rows)
    assert blocks.count() == 2
    assert sorted_rows(rows_of(blocks)) == sorted(rows)
    assert as_blocks(blocks) is blocks


@pytest.mark.parametrize("n_weights", [700_000, 20])
def test_the_sum_is_that_of_rows_by_pair(spark, monkeypatch, n_weights):
    monkeypatch.setattr(item_weights, "_WEIGHTS_PER_TASK", n_weights)
    frames = [frame_of(spark, random_rows(seed)) for seed in (1, 2, 3)]
    factors = (0.3, 1.0, 2.7)

    total = weighted_sum([(as_blocks(f), w) for f, w in zip(frames, factors, strict=True)])

    scaled = [
        frame.withColumn("weight", (F.col("weight") * factor).cast("float"))
        for frame, factor in zip(frames, factors, strict=True)
    ]
    together = scaled[0].unionByName(scaled[1]).unionByName(scaled[2]).groupBy("src", "dst")
    expected = together.agg(F.sum("weight").cast("float").alias("weight"))
    assert sorted_rows(rows_of(total)) == sorted_rows(expected)


def test_one_model_is_scaled_and_none_is_nothing(spark):
    rows = random_rows(1)
    blocks = as_blocks(frame_of(spark, rows))

    assert weighted_sum([]) is None
    assert weighted_sum([(blocks, 1.0)]) is blocks
    halved = [(src, dst, weight / 2) for src, dst, weight in rows]
    assert sorted_rows(rows_of(weighted_sum([(blocks, 0.5)]))) == sorted(halved)


def test_a_fitted_model_takes_rows_and_holds_blocks(spark):
    rows = random_rows(1)
    given = frame_of(spark, rows).withColumn("weight", F.col("weight").cast("double"))

    before = persistent_rdds(spark)

    with FittedModel("mine", item_weights=given.select("dst", "weight", "src")) as model:
        assert model.item_weights.columns == ["n_weights", "data"]
        assert sorted_rows(rows_of(model.item_weights)) == sorted(rows)
        assert len(persistent_rdds(spark)) == len(before) + 1  # packed once

    assert persistent_rdds(spark) == before


def test_a_fitted_model_without_the_columns_names_them(spark):
    rows = frame_of(spark, random_rows(1)).withColumnRenamed("dst", "item")

    with pytest.raises(ValueError, match="item weights lack dst; columns: src, item, weight"):
        FittedModel("mine", item_weights=rows)


def test_blocks_are_computed_once_and_partitions_bounded(spark, monkeypatch):
    before = persistent_rdds(spark)
    blocks = as_blocks(frame_of(spark, random_rows(1)).coalesce(1))
    monkeypatch.setattr(item_weights, "_PARTITION_BYTES", 2_000)

    kept = kept_in_memory(blocks)

    assert len(persistent_rdds(spark)) == len(before) + 1
    assert kept.rdd.getNumPartitions() > 1
    assert sorted_rows(rows_of(kept)) == sorted(random_rows(1))
    blocks.unpersist()
    assert persistent_rdds(spark) == before


def test_what_cannot_be_computed_stays_in_no_memory(spark):
    before = persistent_rdds(spark)
    broken = frame_of(spark, random_rows(1)).withColumn("weight", F.expr("raise_error('no')"))

    with pytest.raises(Exception, match="no"):
        kept_in_memory(as_blocks(broken))

    assert persistent_rdds(spark) == before
