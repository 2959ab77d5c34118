"""Keys that Spark's hash partitioning sends where they are wanted."""

from __future__ import annotations

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F


def partition_keys(spark: SparkSession, n_partitions: int) -> DataFrame:
    """One key a partition: `repartition(n_partitions, key)` sends each to a partition of its own.

    Returns partition (from 0), key.
    """
    partition = F.pmod(F.hash("id"), F.lit(n_partitions)).alias("partition")
    candidates = spark.range(64 * n_partitions, numPartitions=1)
    return candidates.groupBy(partition).agg(F.min("id").alias("key"))
