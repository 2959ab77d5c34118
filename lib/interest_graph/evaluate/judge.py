"""Judges the lists of several models by one protocol."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from interest_graph.evaluate.compare import compare
from interest_graph.evaluate.metrics import average, cover


def judge(
    scores: DataFrame,
    lists: DataFrame,
    *,
    ours: str,
    n_users: int,
    n_items: int,
    ks: Sequence[int],
) -> DataFrame:
    """Means over users, coverage, and the lead of model `ours` over the others.

    scores: as of score_users, read three times; lists: model, user_id, rank (from 1), item_id;
    n_users: users with hold-out items; n_items: items of the train catalogue.
    Returns model, k, metric, value, n_users, lead, lead_low, lead_high.
    """
    leads = compare(scores, ours)
    means = average(scores).join(F.broadcast(leads), on=["model", "k", "metric"], how="left")
    coverage = cover(lists, n_items, ks).withColumn("n_users", F.lit(n_users).cast("bigint"))
    return means.unionByName(coverage, allowMissingColumns=True)
