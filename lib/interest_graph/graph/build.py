"""Building the interest graph: prune the user-item edges, derive the edges of all other kinds."""

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
    """Apply the pruning rules that are on to the user-item edges, one after another.

    edges: src, dst, weight, last_ts; other columns pass through.
    """
    kept = edges
    for _, rule in rules_of(as_of, config):
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
    """All edges of the graph: the pruned user-item edges, and other kinds derived from the inputs.

    item_item by projection; item_interest, user_interest and item_text if items are given;
    user_user if neighbours_per_user is above 0; social if social edges are given.
    features: item_id, vector of one encoder; sessions: interests.session_edges, needed if
    projection.baskets is "sessions". Raises ValueError when these are missing.
    """
    baskets = sessions if config.projection.baskets == "sessions" else user_item
    if baskets is None:
        raise ValueError("projection.baskets is sessions, but no sessions are given")
    kinds = [user_item, interests.item_item_edges(project(baskets, config))]
    if items is not None:
        kinds += _content_edges(user_item, items, features, config)
    if config.neighbours_per_user:
        kinds.append(interests.user_user_edges(project(*_transposed(user_item, config))))
    if social is not None:
        kinds.append(interests.social_edges(social))
    return reduce(DataFrame.unionByName, kinds)


def _content_edges(
    user_item: DataFrame, items: DataFrame, features: DataFrame | None, config: GraphConfig
) -> list[DataFrame]:
    """item_interest, item_text and user_interest edges, from the items' categories and texts."""
    about = interests.item_interest_edges(items)
    if features is not None and (config.text.neighbours_per_item or config.text.n_clusters):
        about = about.unionByName(text_edges(items, features, config))
    interest = about.where("kind = 'item_interest'")
    into = interests.user_interest_edges(user_item, interest, per_user=config.interests_per_user)
    return [about, into]


def _transposed(user_item: DataFrame, config: GraphConfig) -> tuple[DataFrame, GraphConfig]:
    """Arguments of `project` for user_user edges: src and dst swapped, so items are the baskets."""
    transposed = user_item.select(F.col("dst").alias("src"), F.col("src").alias("dst"), "weight")
    return transposed, config.model_copy(update={"neighbours_per_item": config.neighbours_per_user})


def rules_of(as_of: datetime, config: GraphConfig) -> Iterator[tuple[str, Rule]]:
    """The pruning rules that are on, each with its setting, in the order of their application."""
    on = config.prune
    if on.max_age_days is not None:
        rule = partial(prune.drop_old_edges, as_of=as_of, max_age_days=on.max_age_days)
        yield f"graph.prune.max_age_days: {on.max_age_days:g}", rule
    if config.min_weight:
        rule = partial(prune.drop_light_edges, min_weight=config.min_weight)
        yield f"graph.min_weight: {config.min_weight:g}", rule
    if on.min_share:
        rule = partial(prune.drop_minor_edges, min_share=on.min_share)
        yield f"graph.prune.min_share: {on.min_share:g}", rule
    if on.max_p_value is not None:
        rule = partial(prune.drop_insignificant_edges, max_p_value=on.max_p_value)
        yield f"graph.prune.max_p_value: {on.max_p_value:g}", rule
    for name in on.extra:
        yield f"graph.prune.extra: {name}", partial(_apply_own_rule, name=name)
    heaviest = prune.keep_heaviest_edges
    yield (
        f"graph.edges_per_user: {config.edges_per_user}",
        partial(heaviest, per_vertex=config.edges_per_user),
    )
    if on.edges_per_item is not None:
        rule = partial(heaviest, per_vertex=on.edges_per_item, end="dst")
        yield f"graph.prune.edges_per_item: {on.edges_per_item}", rule
    if on.min_core:
        yield f"graph.prune.min_core: {on.min_core}", partial(keep_core, config=config)


def _apply_own_rule(edges: DataFrame, *, name: str) -> DataFrame:
    """The edges that a rule of the user's own keeps. Raises ConfigError for other columns."""
    kept: DataFrame = load_function("graph.prune.extra", name)(edges)
    columns = getattr(kept, "columns", [])
    if sorted(columns) != sorted(edges.columns):
        found = ", ".join(columns) or f"a {type(kept).__name__}"
        problem = f"{name} must return the columns {', '.join(edges.columns)}, not {found}"
        raise ConfigError("graph.prune.extra", problem)
    return kept.select(*edges.columns)
