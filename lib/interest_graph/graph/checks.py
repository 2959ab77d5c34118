"""Checks between the steps of building a graph: what stops a build is one line naming settings."""

from __future__ import annotations

from datetime import datetime

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from interest_graph.config.graph import GraphConfig
from interest_graph.errors import DataError
from interest_graph.graph.build import rules_of
from interest_graph.graph.fixed_point import exact_sum

# The largest sum of all weights: doubles hold every whole number up to here.
MOST_WEIGHT = 2.0**53

_SOCIAL = "see the weights in the sources of kind social_edges"
_EVENTS = "see clean.value_caps, graph.values, graph.action_weights"


def require_edges(edges: DataFrame, interactions: DataFrame, *, as_of: datetime) -> None:
    """Raise DataError, saying what became of the events, when there are no user-item edges.

    edges: the weighed edges of the interactions (event_ts), before pruning.
    """
    if not edges.isEmpty():
        return
    late = F.count_if(F.col("event_ts") > F.lit(as_of))
    n_events, n_late = interactions.agg(F.count("*"), late).collect()[0]
    if not n_events:
        raise DataError(
            "silver.interactions is empty: clean kept no event; see silver.quarantine, silver.bots"
        )
    raise DataError(
        f"no edge weighs anything: of {n_events} events {n_late} are after as_of, the others older "
        "than 72 half-lives or of value 0; see as_of, graph.half_life_days, graph.values"
    )


def require_kept(
    edges: DataFrame, pruned: DataFrame, *, as_of: datetime, config: GraphConfig
) -> None:
    """Raise DataError, saying which rule drops how many edges, when pruning leaves none.

    edges, pruned: user-item edges before and after `prune_edges` with the same settings.
    """
    if not pruned.isEmpty():
        return
    kept, n_before = edges, edges.count()
    dropped, n_kept = [], n_before
    for setting, rule in rules_of(as_of, config):
        kept = rule(kept)
        n_left = kept.count()
        if n_left < n_kept:
            dropped.append(f"{setting} drops {n_kept - n_left}")
        n_kept = n_left
        if not n_kept:
            break
    raise DataError(f"pruning leaves none of {n_before} user-item edges: {', '.join(dropped)}")


def require_bounded(edges: DataFrame) -> None:
    """Raise DataError when the weights of all edges do not add up to at most MOST_WEIGHT.

    edges: src, dst, kind, weight. Sums over the graph would not be exact, and could be infinite.
    """
    sums = edges.groupBy("kind").agg(exact_sum(F.col("weight")).alias("sum")).collect()
    weights = {row["kind"]: row["sum"] for row in sums}
    if sum(weights.values()) <= MOST_WEIGHT:
        return
    heaviest = max(weights, key=lambda kind: weights[kind])
    of_kind = edges.where(F.col("kind") == heaviest).orderBy(F.desc("weight"), "src", "dst")
    samples = [f"{row['src']}-{row['dst']} ({row['weight']:g})" for row in of_kind.take(3)]
    remedy = _SOCIAL if heaviest == "social" else _EVENTS
    raise DataError(
        f"the weights of all edges add up to more than 2**53 ({MOST_WEIGHT:.1e}), most of them "
        f"{heaviest}; {remedy}",
        samples=samples,
    )
