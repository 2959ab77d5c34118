"""Weighed interactions to the edges of the interest graph."""

from __future__ import annotations

from functools import reduce

from pyspark.sql import DataFrame

from interest_graph.config.graph import GraphConfig
from interest_graph.graph import interests
from interest_graph.graph.project import project
from interest_graph.graph.prune import drop_light_edges, keep_heaviest_edges


def prune_edges(edges: DataFrame, config: GraphConfig) -> DataFrame:
    """The user-item edges that are worth keeping."""
    heavy = drop_light_edges(edges, min_weight=config.min_weight)
    return keep_heaviest_edges(heavy, per_vertex=config.edges_per_user)


def connect(
    user_item: DataFrame, items: DataFrame | None, social: DataFrame | None, config: GraphConfig
) -> DataFrame:
    """All edges of the graph: those given, item-item, interest and social ones."""
    kinds = [user_item, interests.item_item_edges(project(user_item, config))]
    if items is not None:
        about = interests.item_interest_edges(items)
        into = interests.user_interest_edges(user_item, about, per_user=config.interests_per_user)
        kinds += [about, into]
    if social is not None:
        kinds.append(interests.social_edges(social))
    return reduce(DataFrame.unionByName, kinds)
