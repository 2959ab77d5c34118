"""Numbers among the attributes of users and items: imputed, and on one scale.

What a number becomes depends on its own row and on statistics that are kept, so tomorrow's rows are
transformed as today's were.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from pyspark.sql import Column, DataFrame, Row
from pyspark.sql import functions as F

from interest_graph.config.features import AttributeConfig
from interest_graph.statistics import median, rank_values, whole_group

_GROUP = ("kind", "attribute")
# A cast alone would also read "3D", and stop a session in ANSI mode at what it cannot read.
_NUMBER = r"^\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*$"


def fit_statistics(rows: DataFrame, *, kind: str, names: Collection[str]) -> DataFrame:
    """Describe the named attributes, as silver.attribute_statistics without its time.

    rows: attributes (MAP<STRING, STRING>); one row per user or item. Missing is what is absent or
    no finite number; without a number all but the counts are null. The deviation is that of the
    population, 0 where all values are equal.
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
    """Impute and scale the configured attributes of each row; moves no row.

    rows: <kind>_id, attributes; statistics: rows of silver.attribute_statistics, one for each of
    `attributes`. Returns kind, key, attributes (MAP<STRING, DOUBLE>), imputed (names).
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
    """kind, attribute, text, value (null where missing): one row for each named attribute."""
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
    """About the mean, which is known: sums of squares alone would cancel."""
    square = F.sum(F.pow(F.col(name) - F.col(f"_{name}"), 2) * F.col("n")) / F.max("n_all")
    # The mean of equal values may be off by its last bit.
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
    scaled: Column = (on_scale - centre) / (width or 1.0)  # a constant attribute is only centred
    return scaled
