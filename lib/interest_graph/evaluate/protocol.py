"""Comparison of models by their recommended lists: measures by user, means, paired leads."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

MEASURES = ("precision", "recall", "f1", "ndcg", "mrr", "map", "hit_rate")
_LIST = ["model", "user_id"]


def score_users(
    lists: DataFrame, hold_out: DataFrame, models: Sequence[str], ks: Sequence[int]
) -> DataFrame:
    """All measures for each model, each user with held-out items and each list length.

    lists: model, user_id, rank (from 1), item_id, without train items; hold_out: user_id, item_id,
    one row per pair; models: to score, also those without a row in `lists`, which score 0; ks: list
    lengths. Returns model, user_id, k and one column per measure (MEASURES).
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

    scores: as from `score_users`. Returns model, k, metric, value, n_users.
    """
    means = [F.avg(name).alias(name) for name in MEASURES]
    wide = scores.groupBy("model", "k").agg(F.count("*").alias("n_users"), *means)
    return wide.unpivot(["model", "k", "n_users"], list(MEASURES), "metric", "value")


def cover(lists: DataFrame, n_items: int, ks: Sequence[int]) -> DataFrame:
    """Coverage: share of the items that appear in at least one of the lists.

    lists: model, user_id, rank, item_id; n_items: number of items of the train part.
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
    """Column that repeats each row once for each of the values."""
    return F.explode(F.array(*[F.lit(value) for value in values])).alias(name)


def _discounted(ranks: Column) -> Column:
    """Discounted cumulative gain of hits at these ranks: the sum of 1 / log2(rank + 1)."""
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


_Z = 1.959963984540054  # 97.5% point of the normal distribution


def compare(scores: DataFrame, ours: str) -> DataFrame:
    """Mean lead of model `ours` over every other model, with its 95% confidence interval.

    scores: as from `score_users`. The lead is the mean of d, the difference between the two models
    on the same user, over all n users. Interval: mean(d) +- t(n - 1) * sd(d) / sqrt(n) with the
    97.5% point of Student's t, null for a single user.
    Returns model, k, metric, lead, lead_low, lead_high; no rows for `ours`.
    """
    is_ours = F.col("model") == ours
    renamed = [F.col(name).alias(f"_our_{name}") for name in MEASURES]
    our_scores = scores.where(is_ours).select("user_id", "k", *renamed)
    paired = scores.where(~is_ours).join(our_scores, on=["user_id", "k"], how="inner")
    leads = [_lead(F.col(f"_our_{name}") - F.col(name)).alias(name) for name in MEASURES]
    wide = paired.groupBy("model", "k").agg(*leads)
    long = wide.unpivot(["model", "k"], list(MEASURES), "metric", "_lead")
    return long.select("model", "k", "metric", "_lead.*")


def _lead(difference: Column) -> Column:
    mean, n_users = F.avg(difference), F.count(difference)
    margin = _student_t(n_users - 1) * F.stddev_samp(difference) / F.sqrt(n_users)
    return F.struct(
        mean.alias("lead"), (mean - margin).alias("lead_low"), (mean + margin).alias("lead_high")
    )


def _student_t(freedom: Column) -> Column:
    """97.5% point of Student's t with `freedom` degrees of freedom; null below 1.

    By its expansion in 1 / freedom, Abramowitz and Stegun, Handbook of Mathematical Functions,
    26.7.5: 1% too low at 2 degrees of freedom, within 0.1% from 3 on.
    """
    z = _Z
    terms = [
        z,
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    ]
    expansion = sum((term / F.pow(freedom, power) for power, term in enumerate(terms)), F.lit(0.0))
    return F.when(freedom >= 1, expansion)


def compare_models(
    scores: DataFrame,
    lists: DataFrame,
    *,
    ours: str,
    n_users: int,
    n_items: int,
    ks: Sequence[int],
) -> DataFrame:
    """Means over users, coverage, and the lead of model `ours` over the others.

    scores: as from `score_users`, best cached because it is read three times; lists: model,
    user_id, rank (from 1), item_id; n_users: with held-out items; n_items: of the train part.
    Returns model, k, metric, value, n_users, lead, lead_low, lead_high.
    """
    leads = compare(scores, ours)
    means = average(scores).join(F.broadcast(leads), on=["model", "k", "metric"], how="left")
    coverage = cover(lists, n_items, ks).withColumn("n_users", F.lit(n_users).cast("bigint"))
    return means.unionByName(coverage, allowMissingColumns=True)
