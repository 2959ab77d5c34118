"""Sections of the report about the interest graph. No Spark here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from interest_graph.evaluate import graph_charts
from interest_graph.evaluate.leaderboard import words
from interest_graph.evaluate.page import Grid, Section

Row = Mapping[str, Any]
Rows = Sequence[Row]

_BINS = ".from_"  # metric names of graph.metrics: degree.<side>.from_<smallest degree of a bin>


@dataclass(frozen=True)
class Ego:
    """The neighbourhood of a user or an item, called name.

    columns: vertices (id, name, kind) by column of the drawing; links: src, dst, weight, kind.
    """

    name: str
    columns: Sequence[Rows]
    links: Rows


@dataclass(frozen=True)
class Communities:
    """The largest communities and their positions in the drawing.

    circles: community, n_users, n_items, n_vertices, names (of the items with the highest
    PageRank), x, y (-1 to 1); links: src, dst (communities), weight.
    """

    circles: Rows
    links: Rows


def shape_section(rows: Rows) -> Section | None:
    """Section on the graph before and after pruning, from rows of graph.metrics; None without."""
    if not rows:
        return None
    stages = {
        stage: {row["metric"]: row["value"] for row in rows if row["stage"] == stage}
        for stage in ("before", "after")
    }
    names = sorted(set(stages["before"]) | set(stages["after"]))
    lines = []
    for name in names:
        if _BINS in name:
            continue
        before, after = (stages[stage].get(name) for stage in ("before", "after"))
        share = f"{after / before:.1%}" if before and after is not None else "-"
        lines.append((words(name), _number(before), _number(after), share))
    heads = ("measure", "before pruning", "after", "after / before")
    grid = Grid(heads, lines, numeric=frozenset({1, 2, 3}))
    text = (
        "Before: all weighed user-item edges. After: the pruned ones, with item-item neighbours, "
        "interests and social edges beside them; density and degrees count user-item edges."
    )
    series = _degree_series(stages)
    charts = {"degrees": graph_charts.degrees(series)} if series else {}
    return Section("graph", "Interest graph", text, charts, [grid])


def community_section(found: Communities | None) -> Section | None:
    """Section with the map of communities and a table of them; None without communities."""
    if found is None or not found.circles:
        return None
    named = [{**circle, "name": " / ".join(circle["names"][:1])} for circle in found.circles]
    lines = [
        (f"{c['n_users']:,}", f"{c['n_items']:,}", "; ".join(c["names"])) for c in found.circles
    ]
    grid = Grid(("users", "items", "best-known items"), lines, numeric=frozenset({0, 1}))
    text = (
        "The largest communities of users and items (Leiden, by weighted modularity), each named "
        "by its item of highest PageRank. Area follows vertices, lines the weight between."
    )
    figure = graph_charts.community_map(named, found.links)
    return Section("communities", "Communities", text, {"communities": figure}, [grid])


def ego_section(ego: Ego | None) -> Section | None:
    """Section with the neighbourhood of a user; None without one."""
    if ego is None:
        return None
    text = (
        f"User {ego.name}: the items of heaviest interest, what these items are about, and what "
        "is recommended. Wider lines weigh more."
    )
    return _drawn("ego", "One user's graph", text, ego)


def item_section(ego: Ego | None) -> Section | None:
    """Section with the neighbourhood of an item; None without one."""
    if ego is None:
        return None
    text = (
        f"{ego.name}: the users of heaviest interest in it, the items most like it, and what these "
        "are about. Wider lines weigh more."
    )
    return _drawn("item", "One item's graph", text, ego)


def _drawn(name: str, title: str, text: str, ego: Ego) -> Section:
    figure = graph_charts.ego_graph(ego.columns, ego.links)
    return Section(name, title, text, {name: figure})


def _degree_series(stages: Mapping[str, Mapping[str, float]]) -> dict[str, list[tuple[int, float]]]:
    """Points of the degree distributions of users and items, before and after pruning."""
    series = {}
    for side in ("user", "item"):
        prefix = f"degree.{side}{_BINS}"
        for stage, shape in stages.items():
            points = [(int(n.removeprefix(prefix)), v) for n, v in shape.items() if prefix in n]
            if points:
                series[f"{side}s, {stage}"] = sorted(points)
    return series


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    is_whole = float(value).is_integer() or abs(value) >= 1000
    return f"{value:,.0f}" if is_whole else f"{value:.4g}"
