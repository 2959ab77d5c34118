"""Task slots: whether all rounds of a training can be one barrier job, and a lone task's cores."""

from __future__ import annotations

from typing import Any

from py4j.protocol import Py4JError
from pyspark.sql import SparkSession

from interest_graph.errors import ConfigError


def resident_tasks(spark: SparkSession, n_shards: int, exchange: str) -> int | None:
    """Number of resident workers for the shards, at most one a slot; None: a job a round.

    exchange: train.exchange. Raises ConfigError where that is "resident" and Spark cannot run them.
    """
    if exchange == "rounds":
        return None
    n_slots = 0 if _is_true(spark, "spark.dynamicAllocation.enabled") else _count_slots(spark)
    if n_slots and (exchange == "resident" or not _must_encrypt(spark)):
        return min(n_shards, n_slots)
    if exchange == "auto":
        return None
    raise ConfigError(
        "train.exchange",
        "resident needs a session without spark.dynamicAllocation.enabled that tells its number of "
        "task slots; use auto or rounds",
    )


def task_of(shard: int, n_shards: int, n_tasks: int) -> int:
    """The resident worker, from 0, that holds this shard: each has a range of them."""
    return shard * n_tasks // n_shards


def cores_of_lone_task(spark: SparkSession) -> int:
    """How many cores a task may use while no other task runs, at least 1."""
    context = spark.sparkContext
    if (context.master or "").startswith("local"):
        return max(1, context.defaultParallelism)
    return int(context.getConf().get("spark.executor.cores") or 1)


def _count_slots(spark: SparkSession) -> int:
    """How many tasks the session runs at once; 0 where it does not tell, as on Databricks."""
    context: Any = spark.sparkContext._jsc.sc()
    try:
        profile = context.resourceProfileManager().defaultResourceProfile()
        return int(context.maxNumConcurrentTasks(profile))
    except Py4JError:
        return 0


def _must_encrypt(spark: SparkSession) -> bool:
    """Whether workers of several hosts may not talk in clear: torch.distributed cannot encrypt."""
    if (spark.sparkContext.master or "").startswith("local"):
        return False
    names = ("spark.network.crypto.enabled", "spark.authenticate.enableSaslEncryption")
    return any(_is_true(spark, name) for name in (*names, "spark.ssl.enabled"))


def _is_true(spark: SparkSession, name: str) -> bool:
    return (spark.sparkContext.getConf().get(name) or "").lower() == "true"
