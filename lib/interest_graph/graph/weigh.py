"""Weights of user-item edges: action weight x value factor x decay, summed over events."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from interest_graph.config.graph import GraphConfig, RarityConfig, ValueTransform
from interest_graph.graph.fixed_point import exact_sum
from interest_graph.ids import item_vertex, user_vertex

EDGE_COLUMNS = ("src", "dst", "kind", "weight", "n_events", "first_ts", "last_ts")

_MICROSECONDS_A_DAY = 86_400_000_000


def weigh_edges(interactions: DataFrame, *, as_of: datetime, config: GraphConfig) -> DataFrame:
    """Sum each user's interest in each item: action weight x value factor x 2**(-age / half-life).

    interactions: user_id, item_id, action, event_ts, value, dwell_seconds; one row an event.
    Events after `as_of` are ignored, and so are those older than 72 half-lives, whose weight is
    truncated to 0. A sum beyond what `exact_sum` can hold is infinite, or no number once adjusted;
    `checks.require_bounded` tells. The sums are then changed by `adjust_weights`, which by default
    does nothing.
    Returns user_id, item_id, weight (> 0), n_events, first_ts, last_ts; one row a pair.
    """
    seen = interactions.where(_age_days(as_of) >= 0)
    strengths = seen.select("user_id", "item_id", "event_ts", _strength(as_of, config).alias("_w"))
    pairs = strengths.where("_w > 0").groupBy("user_id", "item_id")
    edges = pairs.agg(
        exact_sum(F.col("_w")).alias("weight"),
        F.count("*").alias("n_events"),
        F.min("event_ts").alias("first_ts"),
        F.max("event_ts").alias("last_ts"),
    )
    return adjust_weights(edges.where("weight > 0"), config)


def to_graph_edges(weighed: DataFrame) -> DataFrame:
    """Rows of `weigh_edges` as edges of kind user_item, with EDGE_COLUMNS."""
    src, dst = user_vertex(F.col("user_id")), item_vertex(F.col("item_id"))
    ends = weighed.withColumn("src", src).withColumn("dst", dst)
    return ends.withColumn("kind", F.lit("user_item")).select(*EDGE_COLUMNS)


def _strength(as_of: datetime, config: GraphConfig) -> Column:
    """Column: the weight of one event at `as_of`, before adjustments."""
    decay = F.lit(1.0)
    if config.half_life_days is not None:
        decay = F.pow(F.lit(0.5), _age_days(as_of) / config.half_life_days)
    return _action_weight(config) * _value_factor(config) * decay


def _age_days(as_of: datetime) -> Column:
    moment = as_of if as_of.tzinfo else as_of.replace(tzinfo=UTC)
    whole = int(moment.timestamp()) * 1_000_000 + moment.microsecond
    return (F.lit(whole) - F.unix_micros("event_ts")) / _MICROSECONDS_A_DAY


def _action_weight(config: GraphConfig) -> Column:
    weights = {action: F.lit(weight) for action, weight in config.action_weights.items()}
    return _by_action(weights)


def _value_factor(config: GraphConfig) -> Column:
    return _by_action({action: _factor(form) for action, form in config.values.items()})


def _by_action(choices: dict[str, Column]) -> Column:
    """The column chosen for the event's action; 1 for an action that is not listed."""

    def choose(otherwise: Column, choice: tuple[str, Column]) -> Column:
        action, column = choice
        return F.when(F.col("action") == action, column).otherwise(otherwise)

    return reduce(choose, sorted(choices.items()), F.lit(1.0))


def _factor(transform: ValueTransform) -> Column:
    if transform.form == "constant":
        return F.lit(1.0)
    given = F.col(transform.source)
    scaled = (given - transform.offset) / transform.scale
    if transform.form == "log":
        scaled = F.log1p(F.greatest(scaled, F.lit(0.0)))
    clipped = F.greatest(scaled, F.lit(transform.lower))
    if transform.upper is not None:
        clipped = F.least(clipped, F.lit(transform.upper))
    return F.when(given.isNull(), F.lit(transform.missing)).otherwise(clipped)


def adjust_weights(edges: DataFrame, config: GraphConfig) -> DataFrame:
    """Apply the configured formulas to `weight`, one after another, in this order.

    edges: user_id, item_id, weight (> 0); other columns pass through.
    Saturation, w -> c w / (c + w): weights stay below c however often a user repeats an action.
    Confidence, w -> 1 + alpha ln(1 + w) (Hu, Koren and Volinsky 2008).
    Rarity: inverse item frequency, w ln(1 + n_users / users of the item); inverse user frequency,
    w ln(1 + n_items / items of the user); or BM25.
    """
    weight = F.col("weight")
    if config.saturate_at is not None:
        weight = weight * config.saturate_at / (weight + config.saturate_at)
    if config.confidence_alpha is not None:
        weight = 1.0 + config.confidence_alpha * F.log1p(weight)
    adjusted = edges.withColumn("weight", weight)
    if config.rarity.kind == "none":
        return adjusted
    return _weigh_by_rarity(adjusted, config.rarity)


def describe_adjustment(config: GraphConfig) -> str:
    """The formulas of adjust_weights that are on, as text; empty when none is."""
    parts = []
    if config.saturate_at is not None:
        parts.append(f"w := {config.saturate_at:g} w / ({config.saturate_at:g} + w)")
    if config.confidence_alpha is not None:
        parts.append(f"w := 1 + {config.confidence_alpha:g} ln(1 + w)")
    rarity = config.rarity
    if rarity.kind == "bm25":
        parts.append(f"w := bm25(w; k1={rarity.k1:g}, b={rarity.b:g})")
    elif rarity.kind != "none":
        parts.append(f"w := w * {rarity.kind}")
    return "; ".join(parts)


def _weigh_by_rarity(edges: DataFrame, rarity: RarityConfig) -> DataFrame:
    by_item = edges.groupBy("item_id").agg(F.count("*").alias("_n_users"))
    by_user = edges.groupBy("user_id").agg(
        F.count("*").alias("_n_items"), exact_sum(F.col("weight")).alias("_length")
    )
    # Totals of the graph as a frame of one row, so that no Spark job runs here.
    totals = by_user.agg(
        F.count("*").alias("_users"), (exact_sum(F.col("_length")) / F.count("*")).alias("_mean")
    ).crossJoin(by_item.agg(F.count("*").alias("_items")))
    joined = edges.join(by_item, "item_id", how="inner").join(by_user, "user_id", how="inner")
    counted = joined.crossJoin(F.broadcast(totals))
    scratch = [column for column in counted.columns if column.startswith("_")]
    return counted.withColumn("weight", _rare_weight(rarity)).drop(*scratch)


def _rare_weight(rarity: RarityConfig) -> Column:
    weight = F.col("weight")
    if rarity.kind == "inverse_item_frequency":
        return weight * F.log1p(F.col("_users") / F.col("_n_users"))
    if rarity.kind == "inverse_user_frequency":
        return weight * F.log1p(F.col("_items") / F.col("_n_items"))
    return _bm25(weight, rarity)


def _bm25(weight: Column, rarity: RarityConfig) -> Column:
    """BM25 (Robertson and Zaragoza 2009): users are documents, items terms, w the frequency."""
    absent = F.col("_users") - F.col("_n_users") + 0.5
    rareness = F.log1p(absent / (F.col("_n_users") + 0.5))
    length = 1.0 - rarity.b + rarity.b * F.col("_length") / F.col("_mean")
    return rareness * weight * (rarity.k1 + 1.0) / (weight + rarity.k1 * length)
