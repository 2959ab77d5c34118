"""Reads the parts of the interest graph that the report draws, a few dozen rows each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from interest_graph.evaluate.graph_sections import Communities, Ego
from interest_graph.evaluate.graph_views import (
    best_known_items,
    heaviest_items,
    heaviest_users,
    largest_communities,
    links_among,
    nearest_items,
    shown_name,
    weights_between,
)
from interest_graph.evaluate.label_layout import spread
from interest_graph.ids import INTEREST, ITEM, USER, is_kind, is_of_kind, key_of, vertex

Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class GraphTables:
    """One version of graph.edges, graph.vertices and graph.communities."""

    edges: DataFrame
    vertices: DataFrame
    structure: DataFrame


def example_ego(graph: GraphTables, lists: Rows) -> Ego | None:
    """The neighbourhood of the first user of `lists`, with what is recommended; None if empty.

    lists: user_id, item_id of recommendations that were computed from this graph.
    """
    if not lists:
        return None
    user = lists[0]["user_id"]
    recommended = [vertex(ITEM, row["item_id"]) for row in lists if row["user_id"] == user]
    liked = _rows(heaviest_items(graph.edges, user))
    items = [link["dst"] for link in liked]
    links = liked + _rows(links_among(graph.edges, items + recommended))
    columns = {USER: [vertex(USER, user)], ITEM: items, INTEREST: _interests(links)}
    columns["recommended"] = recommended
    return Ego(user, _columns(graph, columns), links)


def item_ego(graph: GraphTables, item: str | None) -> Ego | None:
    """The neighbourhood of an item: its users, the most similar items, and their interests.

    item: an item id, by default that of the highest weighted PageRank. None if it has no edge.
    """
    item = item or _best_known(graph.structure)
    if item is None:
        return None
    edges = graph.edges
    alike, users = _rows(nearest_items(edges, item)), _rows(heaviest_users(edges, item))
    others = [link["dst"] for link in alike]
    links = alike + users + _about(edges, [vertex(ITEM, item), *others])
    columns = {USER: [link["src"] for link in users], ITEM: [vertex(ITEM, item)]}
    columns |= {"similar": others, INTEREST: _interests(links)}
    drawn = _columns(graph, columns)
    name = next(column[0]["name"] for column in drawn if column[0]["kind"] == ITEM)
    return Ego(name, drawn, links) if links else None


def community_map(graph: GraphTables) -> Communities:
    """The largest communities and the weights between them, with positions to draw them at."""
    circles = _rows(largest_communities(graph.structure))
    numbers = [circle["community"] for circle in circles]
    named = graph.vertices.select("id", "kind", "key", "name")
    known = _rows(best_known_items(graph.structure, named, numbers))
    names = {row["community"]: row["names"] for row in known}
    links = _rows(weights_between(graph.edges, graph.structure, numbers))
    places = spread(numbers, [(link["src"], link["dst"], link["weight"]) for link in links])
    for circle in circles:
        number = circle["community"]
        circle["names"] = names.get(number, [f"community {number}"])
        circle["x"], circle["y"] = places[number]
    return Communities(circles, links)


def _best_known(structure: DataFrame) -> str | None:
    items = structure.where(is_of_kind(F.col("id"), ITEM))
    best = items.orderBy(F.desc("weighted_pagerank"), "id").select("id").first()
    return key_of(best["id"]) if best is not None else None


def _about(edges: DataFrame, items: list[str]) -> Rows:
    """Edges of the items to those interests that most of them have in common."""
    return [row for row in _rows(links_among(edges, items)) if row["kind"] == "item_interest"]


def _interests(links: Rows) -> list[str]:
    return list(dict.fromkeys(link["dst"] for link in links if link["kind"] == "item_interest"))


def _columns(graph: GraphTables, columns: dict[str, list[str]]) -> list[Rows]:
    """Vertices (id, name, kind) for each kind -> ids that has any, with names to display."""
    shown = [each for ids in columns.values() for each in ids]
    known = graph.vertices.where(F.col("id").isin(shown))
    found = known.select("id", shown_name().alias("name")).collect()
    names = {row["id"]: row["name"] for row in found}
    users = {each: f"user {key_of(each)}" for each in shown if is_kind(each, USER)}
    named = {each: key_of(each) for each in shown} | names | users
    return [
        [{"id": each, "name": named[each], "kind": kind} for each in ids]
        for kind, ids in columns.items()
        if ids
    ]


def _rows(frame: DataFrame) -> Rows:
    return [row.asDict() for row in frame.collect()]
