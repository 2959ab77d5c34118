"""Numeric attributes of users and items: imputation of missing values, and scaling.

The transformed value depends only on the row and on statistics that were fitted once and stored, so
that later rows are transformed in the same way.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from pyspark.sql import Column, DataFrame, Row
from pyspark.sql import functions as F

from interest_graph.config.features import AttributeConfig
from interest_graph.statistics import median, rank_values, whole_group

_GROUP = ("kind", "attribute")
# A cast alone would accept "3D" as a number, and would raise in a session in ANSI mode.
_NUMBER = r"^\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*$"


def fit_statistics(rows: DataFrame, *, kind: str, names: Collection[str]) -> DataFrame:
    """Fit statistics of the named attributes: silver.attribute_statistics without fitted_as_of.

    rows: attributes (MAP<STRING, STRING>); one row per user or item. A value is missing if it is
    absent or not a finite number. For an attribute without any number all columns but the counts
    are null. Deviations are those of the population, 0 if all values are equal.
    """
    numbers = _numbers(rows, kind, names)
    counts = numbers.groupBy(*_GROUP).agg(
        F.count("value").alias("n_values"),
        F.count_if(F.col("value").isNull()).alias("n_missing"),
        F.count_if(F.col("value").isNull() & (F.trim("text") != "")).alias("n_not_numbers"),
    )
    return counts.join(F.broadcast(_described(numbers)), list(_GROUP), how="left")


def apply_statistics(
    rows: DataFrame,
    *,
    kind: str,
    statistics: Iterable[Row],
    attributes: Mapping[str, AttributeConfig],
) -> DataFrame:
    """Impute and scale the configured attributes of each row, without a shuffle.

    rows: <kind>_id, attributes; statistics: rows of silver.attribute_statistics, one for each of
    `attributes`. Returns kind, key, attributes (MAP<STRING, DOUBLE>), imputed (names of the
    attributes that were missing).
    """
    fitted = {row["attribute"]: row for row in statistics if row["kind"] == kind}
    given = {name: _as_number(F.col("attributes")[name]) for name in attributes}
    scaled = {name: _scaled(given[name], fitted[name], attributes[name]) for name in attributes}
    missing = [F.when(given[name].isNull(), F.lit(name)) for name in attributes]
    return rows.select(
        F.lit(kind).alias("kind"),
        F.col(f"{kind}_id").alias("key"),
        F.create_map(*[p for name, value in scaled.items() for p in (F.lit(name), value)]).alias(
            "attributes"
        ),
        F.array_compact(F.array(*missing)).alias("imputed"),
    )


def _numbers(rows: DataFrame, kind: str, names: Collection[str]) -> DataFrame:
    """One row for each input row and named attribute: kind, attribute, text, value or null."""
    entries = [
        F.struct(F.lit(name).alias("attribute"), F.col("attributes")[name].alias("text"))
        for name in names
    ]
    texts = rows.select(F.lit(kind).alias("kind"), F.inline(F.array(*entries)))
    return texts.withColumn("value", _as_number(F.col("text")))


def _as_number(text: Column) -> Column:
    number = F.when(text.rlike(_NUMBER), text.cast("double"))
    return F.when(F.abs(number) < float("inf"), number)


def _described(numbers: DataFrame) -> DataFrame:
    ranked = rank_values(numbers.where("value IS NOT NULL"), _GROUP)
    ranked = ranked.withColumn("log", _log(F.col("value")))
    group = whole_group(_GROUP)
    means = {
        f"_{name}": F.sum(F.col(name) * F.col("n")).over(group) / F.col("n_all")
        for name in ("value", "log")
    }
    return (
        ranked.withColumns(means)
        .groupBy(*_GROUP)
        .agg(
            F.max("_value").alias("mean"),
            _deviation("value").alias("deviation"),
            F.max("_log").alias("log_mean"),
            _deviation("log").alias("log_deviation"),
            F.min("value").alias("lowest"),
            F.max("value").alias("highest"),
            median().alias("median"),
        )
    )


def _deviation(name: str) -> Column:
    """Standard deviation from differences to the mean, computed before: avoids cancellation."""
    square = F.sum(F.pow(F.col(name) - F.col(f"_{name}"), 2) * F.col("n")) / F.max("n_all")
    # Exactly 0 for equal values, whose computed mean may differ from them in the last bit.
    return F.when(F.min(name) < F.max(name), F.sqrt(square)).otherwise(0.0)


def _log(value: Column) -> Column:
    return F.signum(value) * F.log1p(F.abs(value))


def _scaled(number: Column, fitted: Row, config: AttributeConfig) -> Column:
    fill = fitted[config.impute] if isinstance(config.impute, str) else config.impute
    filled = F.coalesce(number, F.lit(fill))
    centre, width = {
        "standard": (fitted["mean"], fitted["deviation"]),
        "min_max": (fitted["lowest"], fitted["highest"] - fitted["lowest"]),
        "log_standard": (fitted["log_mean"], fitted["log_deviation"]),
    }.get(config.scale, (0.0, 1.0))
    on_scale = _log(filled) if config.scale.startswith("log") else filled
    scaled: Column = (on_scale - centre) / (width or 1.0)  # width 0: all values equal, only centre
    return scaled
