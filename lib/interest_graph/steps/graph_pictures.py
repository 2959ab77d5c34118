"""What the report draws of the interest graph: a few dozen rows each."""

from __future__ import annotations

from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from interest_graph import tables
from interest_graph.contract import Table
from interest_graph.evaluate.communities import (
    best_known_items,
    largest_communities,
    shown_name,
    weights_between,
)
from interest_graph.evaluate.ego import heaviest_items, heaviest_users, links_among, nearest_items
from interest_graph.evaluate.graph_sections import Communities, Ego
from interest_graph.graph.layout import spread
from interest_graph.graph.version import newest_version
from interest_graph.job import Job

Rows = list[dict[str, Any]]


def example_ego(job: Job, lists: Rows) -> Ego | None:
    """The graph around the first user shown, by the version that their list was made from.

    lists: user_id, item_id, graph_version of recommendations.
    """
    if not lists or not _is_built(job, tables.EDGES, tables.VERTICES):
        return None
    user, version = lists[0]["user_id"], lists[0]["graph_version"]
    edges = _of(job, tables.EDGES, version)
    recommended = [f"i:{row['item_id']}" for row in lists if row["user_id"] == user]
    liked = _rows(heaviest_items(edges, user))
    items = [link["dst"] for link in liked]
    links = liked + _rows(links_among(edges, items + recommended))
    columns = {"user": [f"u:{user}"], "item": items, "interest": _interests(links)}
    columns["recommended"] = recommended
    return Ego(user, _columns(job, version, columns), links)


def item_ego(job: Job) -> Ego | None:
    """The graph around one item: its users, the items most like it, and their interests.

    `report.item` where it is set, else the item of highest weighted PageRank; None where the
    newest graph lacks it.
    """
    if not _is_built(job, tables.EDGES, tables.VERTICES, tables.COMMUNITIES, tables.GRAPH_VERSIONS):
        return None
    version = newest_version(job.read(tables.GRAPH_VERSIONS))
    edges = _of(job, tables.EDGES, version)
    item = job.settings.report.item or _best_known(_of(job, tables.COMMUNITIES, version))
    if item is None:
        return None
    alike, users = _rows(nearest_items(edges, item)), _rows(heaviest_users(edges, item))
    others = [link["dst"] for link in alike]
    links = alike + users + _about(edges, [f"i:{item}", *others])
    columns = {"user": [link["src"] for link in users], "item": [f"i:{item}"]}
    columns |= {"similar": others, "interest": _interests(links)}
    drawn = _columns(job, version, columns)
    name = next(column[0]["name"] for column in drawn if column[0]["kind"] == "item")
    return Ego(name, drawn, links) if links else None


def community_map(job: Job) -> Communities | None:
    """The largest communities of the newest graph, with places to draw them."""
    if not _is_built(job, tables.EDGES, tables.VERTICES, tables.COMMUNITIES, tables.GRAPH_VERSIONS):
        return None
    version = newest_version(job.read(tables.GRAPH_VERSIONS))
    structure = _of(job, tables.COMMUNITIES, version)
    circles = _rows(largest_communities(structure))
    numbers = [circle["community"] for circle in circles]
    vertices, edges = (_of(job, table, version) for table in (tables.VERTICES, tables.EDGES))
    known = _rows(
        best_known_items(structure, vertices.select("id", "kind", "key", "name"), numbers)
    )
    names = {row["community"]: row["names"] for row in known}
    links = _rows(weights_between(edges, structure, numbers))
    places = spread(numbers, [(link["src"], link["dst"], link["weight"]) for link in links])
    for circle in circles:
        number = circle["community"]
        circle["names"] = names.get(number, [f"community {number}"])
        circle["x"], circle["y"] = places[number]
    return Communities(circles, links)


def _is_built(job: Job, *needed: Table) -> bool:
    return all(job.store.exists(table) for table in needed)


def _of(job: Job, table: Table, version: str) -> DataFrame:
    return job.read(table).where(F.col("graph_version") == version)


def _best_known(structure: DataFrame) -> str | None:
    items = structure.where(F.col("id").startswith("i:"))
    best = items.orderBy(F.desc("weighted_pagerank"), "id").select("id").first()
    return str(best["id"]).removeprefix("i:") if best is not None else None


def _about(edges: DataFrame, items: list[str]) -> Rows:
    """Edges of the items to the interests that most of them share."""
    return [row for row in _rows(links_among(edges, items)) if row["kind"] == "item_interest"]


def _interests(links: Rows) -> list[str]:
    return list(dict.fromkeys(link["dst"] for link in links if link["kind"] == "item_interest"))


def _columns(job: Job, version: str, columns: dict[str, list[str]]) -> list[Rows]:
    """Vertices by kind with the names that people read; kinds without any are left out."""
    shown = [vertex for ids in columns.values() for vertex in ids]
    of_graph = _of(job, tables.VERTICES, version).where(F.col("id").isin(shown))
    found = of_graph.select("id", shown_name().alias("name")).collect()
    names = {row["id"]: row["name"] for row in found}
    users = {vertex: f"user {vertex[2:]}" for vertex in shown if vertex.startswith("u:")}
    named = {vertex: vertex[2:] for vertex in shown} | names | users
    return [
        [{"id": each, "name": named[each], "kind": kind} for each in ids]
        for kind, ids in columns.items()
        if ids
    ]


def _rows(frame: DataFrame) -> Rows:
    return [row.asDict() for row in frame.collect()]
