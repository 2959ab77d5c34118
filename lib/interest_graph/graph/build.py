"""Weighed interactions to the edges of the interest graph."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from functools import partial, reduce

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from interest_graph.config.graph import GraphConfig
from interest_graph.errors import ConfigError
from interest_graph.graph import interests, prune
from interest_graph.graph.project import project
from interest_graph.graph.prune import keep_connected, keep_core
from interest_graph.graph.text_edges import text_edges
from interest_graph.plugins import load_function

Rule = partial[DataFrame]


def prune_edges(edges: DataFrame, *, as_of: datetime, config: GraphConfig) -> DataFrame:
    """The user-item edges that are worth keeping: every rule that is on, in turn.

    edges: src, dst, weight, last_ts; other columns pass through.
    """
    kept = edges
    for rule in _rules(as_of, config):
        kept = rule(kept)
    return keep_connected(edges, kept, config) if config.prune.keep_connected else kept


def connect(
    user_item: DataFrame,
    items: DataFrame | None,
    social: DataFrame | None,
    config: GraphConfig,
    *,
    features: DataFrame | None = None,
    sessions: DataFrame | None = None,
) -> DataFrame:
    """All edges of the graph: those given, and every kind that inputs and settings allow.

    features: item_id, vector of one encoder; sessions: interests.session_edges, needed where the
    projection's baskets are sessions.
    """
    baskets = sessions if config.projection.baskets == "sessions" else user_item
    if baskets is None:
        raise ValueError("projection.baskets is sessions, but no sessions are given")
    kinds = [user_item, interests.item_item_edges(project(baskets, config))]
    if items is not None:
        kinds += _content_edges(user_item, items, features, config)
    if config.neighbours_per_user:
        kinds.append(interests.user_user_edges(project(*_turned(user_item, config))))
    if social is not None:
        kinds.append(interests.social_edges(social))
    return reduce(DataFrame.unionByName, kinds)


def _content_edges(
    user_item: DataFrame, items: DataFrame, features: DataFrame | None, config: GraphConfig
) -> list[DataFrame]:
    """Edges that items' attributes and texts give."""
    about = interests.item_interest_edges(items)
    if features is not None and (config.text.neighbours_per_item or config.text.n_clusters):
        about = about.unionByName(text_edges(items, features, config))
    interest = about.where("kind = 'item_interest'")
    into = interests.user_interest_edges(user_item, interest, per_user=config.interests_per_user)
    return [about, into]


def _turned(user_item: DataFrame, config: GraphConfig) -> tuple[DataFrame, GraphConfig]:
    """Items as baskets of users: arguments of project for user-user edges."""
    turned = user_item.select(F.col("dst").alias("src"), F.col("src").alias("dst"), "weight")
    return turned, config.model_copy(update={"neighbours_per_item": config.neighbours_per_user})


def _rules(as_of: datetime, config: GraphConfig) -> Iterator[Rule]:
    """The pruning rules that are on, in the order of their settings."""
    settings = config.prune
    if settings.max_age_days is not None:
        yield partial(prune.drop_old_edges, as_of=as_of, max_age_days=settings.max_age_days)
    if config.min_weight:
        yield partial(prune.drop_light_edges, min_weight=config.min_weight)
    if settings.min_share:
        yield partial(prune.drop_minor_edges, min_share=settings.min_share)
    if settings.max_p_value is not None:
        yield partial(prune.drop_insignificant_edges, max_p_value=settings.max_p_value)
    for name in settings.extra:
        yield partial(_apply_own_rule, name=name)
    yield partial(prune.keep_heaviest_edges, per_vertex=config.edges_per_user)
    if settings.edges_per_item is not None:
        yield partial(prune.keep_heaviest_edges, per_vertex=settings.edges_per_item, end="dst")
    if settings.min_core:
        yield partial(keep_core, config=config)


def _apply_own_rule(edges: DataFrame, *, name: str) -> DataFrame:
    """The edges that a rule of the user's own keeps. Raises ConfigError for other columns."""
    kept: DataFrame = load_function("graph.prune.extra", name)(edges)
    columns = getattr(kept, "columns", [])
    if sorted(columns) != sorted(edges.columns):
        found = ", ".join(columns) or f"a {type(kept).__name__}"
        problem = f"{name} must return the columns {', '.join(edges.columns)}, not {found}"
        raise ConfigError("graph.prune.extra", problem)
    return kept.select(*edges.columns)
