"""What a summed weight is worth: saturation, confidence and rarity."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from interest_graph.config.graph import GraphConfig, RarityConfig
from interest_graph.graph.sums import exact_sum


def adjust_weights(edges: DataFrame, config: GraphConfig) -> DataFrame:
    """Apply the configured formulas to `weight`, in this order, each to the result of the last.

    edges: user_id, item_id, weight (> 0); other columns pass through.
    Saturation w -> c w / (c + w) keeps one user who hammers one item below c.
    Confidence w -> 1 + alpha ln(1 + w) (Hu, Koren and Volinsky 2008).
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
    # Three figures of the whole graph; a frame of one row, so that nothing is computed here.
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
    """Robertson and Zaragoza 2009: users are documents, items terms, weights term frequencies."""
    absent = F.col("_users") - F.col("_n_users") + 0.5
    rareness = F.log1p(absent / (F.col("_n_users") + 0.5))
    length = 1.0 - rarity.b + rarity.b * F.col("_length") / F.col("_mean")
    return rareness * weight * (rarity.k1 + 1.0) / (weight + rarity.k1 * length)
