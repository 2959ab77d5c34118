"""How sure a lead over a baseline is: paired differences over the same users."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from interest_graph.evaluate.metrics import MEASURES

_Z = 1.959963984540054  # 97.5% point of the normal distribution


def compare(scores: DataFrame, ours: str) -> DataFrame:
    """Mean lead of model `ours` over every other model, with its 95% confidence interval.

    scores: as of metrics.score_users. The lead is the mean over users of the
    difference d between the two models on the same user; the interval is Student's,
    mean(d) -+ t(n - 1) * sd(d) / sqrt(n), null for a single user.
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
    """97.5% point of Student's t, by its expansion in 1 / freedom; null below 1.

    Abramowitz and Stegun, Handbook of Mathematical Functions, 26.7.5: 1% low at 2
    degrees of freedom, right to 0.1% from 3 on.
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
