"""Ranking quality of recommendation lists on hold-out pairs, as Spark expressions.

Relevance is binary. With R the hold-out items of a user, hits the recommended items of R within the
first k ranks, and r_j the rank of the j-th hit:

    precision = |hits| / k                      recall   = |hits| / |R|
    f1        = 2 |hits| / (k + |R|)            hit_rate = 1 if there is a hit, else 0
    ndcg      = sum_j 1 / log2(r_j + 1)  /  sum over r = 1 .. min(k, |R|) of 1 / log2(r + 1)
    mrr       = 1 / r_1, 0 without a hit
    map       = sum_j (j / r_j) / min(k, |R|)

A list of nothing but hits thus scores 1 in ndcg, mrr and map. All are means over the users who have
hold-out items, those without a single recommendation included (they count 0).
coverage = distinct items within anyone's first k / items of the train catalogue.
Definitions: Järvelin and Kekäläinen, ACM TOIS 20(4), 2002 (ndcg); Manning, Raghavan and Schütze,
Introduction to Information Retrieval, chapter 8 (the others).
"""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

MEASURES = ("precision", "recall", "f1", "ndcg", "mrr", "map", "hit_rate")
_LIST = ["model", "user_id"]


def score_users(
    lists: DataFrame, hold_out: DataFrame, models: Sequence[str], ks: Sequence[int]
) -> DataFrame:
    """Every measure for every model, user with hold-out items, and list length.

    lists: model, user_id, rank (from 1), item_id, without train items; hold_out: user_id, item_id,
    one row per pair; models: those to score, even if `lists` has no row of one.
    Returns model, user_id, k and one column per measure.
    """
    counted = hold_out.groupBy("user_id").agg(F.count("*").alias("_n_relevant"))
    relevant = counted.select("*", _each("model", models))
    listed = lists.where(F.col("rank") <= max(ks))
    hits = listed.join(hold_out, on=["user_id", "item_id"], how="left_semi").groupBy(*_LIST)
    ranks = hits.agg(F.sort_array(F.collect_list("rank")).alias("_all_ranks"))
    cut = relevant.join(ranks, on=_LIST, how="left").select("*", _each("k", sorted(set(ks))))
    within = F.filter(F.coalesce("_all_ranks", F.array()), lambda rank: rank <= F.col("k"))
    scored = cut.withColumn("_ranks", within)
    measures = [measure.alias(name) for name, measure in _measures().items()]
    return scored.select("model", "user_id", "k", *measures)


def average(scores: DataFrame) -> DataFrame:
    """Mean of each measure over users.

    scores: as of score_users. Returns model, k, metric, value, n_users.
    """
    means = [F.avg(name).alias(name) for name in MEASURES]
    wide = scores.groupBy("model", "k").agg(F.count("*").alias("n_users"), *means)
    return wide.unpivot(["model", "k", "n_users"], list(MEASURES), "metric", "value")


def cover(lists: DataFrame, n_items: int, ks: Sequence[int]) -> DataFrame:
    """Share of the catalogue that appears in the lists.

    lists: model, user_id, rank, item_id; n_items: items of the train catalogue.
    Returns model, k, metric ("coverage"), value.
    """
    best = lists.groupBy("model", "item_id").agg(F.min("rank").alias("_best_rank"))
    shares = [(F.count_if(F.col("_best_rank") <= k) / n_items).alias(str(k)) for k in set(ks)]
    wide = best.groupBy("model").agg(*shares)
    long = wide.unpivot("model", [str(k) for k in set(ks)], "_k", "value")
    return long.select(
        "model", F.col("_k").cast("int").alias("k"), F.lit("coverage").alias("metric"), "value"
    )


def _each(name: str, values: Sequence[object]) -> Column:
    """One row for each of the values."""
    return F.explode(F.array(*[F.lit(value) for value in values])).alias(name)


def _discounted(ranks: Column) -> Column:
    """Sum of 1 / log2(rank + 1)."""
    return F.aggregate(ranks, F.lit(0.0), lambda total, rank: total + 1 / F.log2(rank + 1))


def _average_precision(ranks: Column, n_best: Column) -> Column:
    precisions = F.transform(ranks, lambda rank, place: (place + 1) / rank)
    return F.aggregate(precisions, F.lit(0.0), lambda total, each: total + each) / n_best


def _measures() -> dict[str, Column]:
    k, n_relevant, ranks = F.col("k"), F.col("_n_relevant"), F.col("_ranks")
    n_hits, n_best = F.size(ranks), F.least(k, n_relevant)
    return {
        "precision": n_hits / k,
        "recall": n_hits / n_relevant,
        "f1": 2 * n_hits / (k + n_relevant),
        "ndcg": _discounted(ranks) / _discounted(F.sequence(F.lit(1), n_best)),
        "mrr": F.when(n_hits > 0, 1 / F.element_at(ranks, 1)).otherwise(0.0),
        "map": _average_precision(ranks, n_best),
        "hit_rate": (n_hits > 0).cast("double"),
    }
