"""Caps of event values, fitted to the values by robust statistics (quantiles, Tukey's fences)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pyspark.sql import Column, DataFrame, Row
from pyspark.sql import functions as F

from interest_graph.config.clean import CapRule, CleanConfig
from interest_graph.errors import ConfigError
from interest_graph.statistics import quantile, rank_values, whole_group

FITTED_CAPS = "clean.fitted_caps"  # the setting that names the actions


def with_fitted_caps(config: CleanConfig, fitted: Iterable[Row]) -> CleanConfig:
    """The settings with the fitted caps added to value_caps.

    fitted: rows of silver.value_caps. Raises ConfigError for an action of fitted_caps whose rule
    has not been fitted yet.
    """
    by_action = {row["action"]: row for row in fitted}
    for action, rule in config.fitted_caps.items():
        if action not in by_action or by_action[action]["rule"] != text_of(rule):
            problem = f"{text_of(rule)} has not been fitted; the fit_caps job does that"
            raise ConfigError(f"{FITTED_CAPS}.{action}", problem)
    caps = {action: by_action[action]["cap"] for action in config.fitted_caps}
    return config.model_copy(update={"value_caps": {**config.value_caps, **caps}})


def fit_caps(records: DataFrame, rules: Mapping[str, CapRule]) -> DataFrame:
    """Fit the cap of each action that has a rule: rows of silver.value_caps without fitted_as_of.

    records: action, value (DOUBLE or null), as `accepted` returns them when no caps are set.
    An action without values gets no row. The result does not depend on order or partitioning.
    """
    valued = records.where(F.col("action").isin(list(rules)) & F.col("value").isNotNull())
    group = whole_group(["action"])
    quarters = {"lower_quartile": 0.25, "median": 0.5, "upper_quartile": 0.75}
    ranked = rank_values(valued.select("action", "value"), ["action"]).withColumns(
        {name: quantile(level).over(group) for name, level in quarters.items()}
    )
    named = {"rule": _by_action({action: text_of(rule) for action, rule in rules.items()})}
    capped = ranked.withColumns({"cap": _cap(rules), **named})
    n_above = F.sum(F.when(F.col("value") > F.col("cap"), F.col("n")).otherwise(0))
    described = capped.groupBy("action", "rule", "cap", *quarters, "n_all").agg(
        n_above.alias("n_above"), F.max("value").alias("highest")
    )
    return described.withColumnRenamed("n_all", "n_values")


def text_of(rule: CapRule) -> str:
    """The rule as JSON, the form stored in silver.value_caps."""
    return rule.model_dump_json(exclude_none=True)


def _cap(rules: Mapping[str, CapRule]) -> Column:
    """The cap by the action's rule: a quantile, or upper quartile + fence * interquartile range."""
    level = _by_action({action: rule.quantile for action, rule in rules.items()}, "double")
    n_ranges = _by_action({action: rule.fence for action, rule in rules.items()}, "double")
    width = F.col("upper_quartile") - F.col("lower_quartile")
    by_quantile = quantile(level).over(whole_group(["action"]))
    return F.coalesce(by_quantile, F.col("upper_quartile") + n_ranges * width)


def _by_action(values: Mapping[str, object], kind: str = "string") -> Column:
    entries = [F.lit(part) for pair in values.items() for part in pair]
    return F.create_map(*entries)[F.col("action")].cast(kind)
