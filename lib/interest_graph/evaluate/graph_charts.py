"""Plotly figures of the interest graph: degrees, map of communities, ego graphs. No Spark here."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from interest_graph.evaluate.charts import (
    AXIS,
    GOOD,
    INK,
    OURS,
    SERIES,
    Figure,
    curve,
    figure,
    label,
)
from interest_graph.evaluate.label_layout import push_apart

Row = Mapping[str, Any]

_LARGEST_CIRCLE = 64  # pixels across
_MAP = (1040.0, 600.0)  # pixels, about the width of the page
_CHARACTER, _LINE = 7.0, 18.0  # pixels: width of a label's character, height of its line


def degrees(series: Mapping[str, Sequence[tuple[int, float]]]) -> Figure:
    """Degree distributions on logarithmic axes.

    series: name -> (smallest degree of a bin, number of vertices), the same side before and after
    pruning one after the other.
    """
    hover = "%{x} edges or more: %{y:,}<extra></extra>"
    data = [
        curve(name, points, _side_and_stage(place), hover)
        for place, (name, points) in enumerate(series.items())
    ]
    x = {**AXIS, "type": "log", "title": {"text": "edges of a vertex"}, "dtick": 1}
    y = {**AXIS, "type": "log", "title": {"text": "vertices"}, "dtick": 1}
    return figure(data, height=360, showlegend=True, xaxis=x, yaxis=y)


def _side_and_stage(place: int) -> dict[str, str]:
    """Line style of a series: one colour for users, one for items; dotted before pruning."""
    return {"color": SERIES[place // 2], "dash": "dot" if place % 2 == 0 else "solid"}


def community_map(circles: Sequence[Row], links: Sequence[Row]) -> Figure:
    """Communities as circles with lines between them.

    circles: community, name, n_vertices, x, y (-1 to 1); the area of a circle is proportional to
    n_vertices. links: src, dst (communities), weight; the width of a line grows with the weight.
    Circles are moved where they or their names would overlap.
    """
    names = [label(circle["name"]) for circle in circles]
    sizes = _circle_sizes(circles)
    places = _without_overlap(circles, names, sizes)
    at = {circle["community"]: place for circle, place in zip(circles, places, strict=True)}
    heaviest = max((link["weight"] for link in links), default=1.0)
    data = [
        _community_link(at[link["src"]], at[link["dst"]], link["weight"] / heaviest)
        for link in links
    ]
    data.append(
        {
            "type": "scatter",
            "mode": "markers",
            "x": [x for x, _ in places],
            "y": [y for _, y in places],
            "hovertext": [
                f"{html.escape(circle['name'], quote=False)}: {circle['n_vertices']:,} vertices"
                for circle in circles
            ],
            "hoverinfo": "text",
            "marker": {
                "size": sizes,
                "color": [SERIES[place % len(SERIES)] for place in range(len(circles))],
                "opacity": 0.85,
                "line": {"width": 1.5, "color": "#fff"},
            },
        }
    )
    hidden = {"visible": False, "fixedrange": True}
    axes = {"xaxis": {**hidden, "range": [0, _MAP[0]]}, "yaxis": {**hidden, "range": [0, _MAP[1]]}}
    shown = [
        _name(name, place, shift=-(size + _LINE) / 2)
        for name, place, size in zip(names, places, sizes, strict=True)
    ]
    margin = {"l": 0, "r": 0, "t": 0, "b": 0}
    return figure(data, height=int(_MAP[1]), margin=margin, annotations=shown, **axes)


def _circle_sizes(circles: Sequence[Row]) -> list[float]:
    """Diameters in pixels."""
    largest = max((circle["n_vertices"] for circle in circles), default=1)
    return [
        max(10.0, _LARGEST_CIRCLE * (circle["n_vertices"] / largest) ** 0.5) for circle in circles
    ]


def _without_overlap(
    circles: Sequence[Row], names: Sequence[str], sizes: Sequence[float]
) -> list[tuple[float, float]]:
    """Centres of the circles in pixels, moved so that circles with their names do not overlap."""
    boxes = [
        (max(size, _CHARACTER * len(html.unescape(name))) + 8, size + _LINE + 8)
        for name, size in zip(names, sizes, strict=True)
    ]
    wide, high = (side / 2 for side in _MAP)
    centres = [(wide * (1 + c["x"]), high * (1 + c["y"]) - _LINE / 2) for c in circles]
    return [(x, y + _LINE / 2) for x, y in push_apart(centres, boxes, _MAP)]


def _name(text: str, place: tuple[float, float], *, shift: float, size: int = 12) -> Figure:
    """A text label with a background, to be readable over lines; shift: pixels above the place."""
    return {
        "text": text,
        "x": place[0],
        "y": place[1],
        "yshift": shift,
        "showarrow": False,
        "bgcolor": "rgba(255,255,255,0.8)",
        "borderpad": 1,
        "font": {"size": size},
    }


def _community_link(one: tuple[float, float], other: tuple[float, float], share: float) -> Figure:
    return {
        "type": "scatter",
        "mode": "lines",
        "x": [one[0], other[0]],
        "y": [one[1], other[1]],
        "line": {"width": 0.5 + 7.5 * share, "color": f"rgba(91,107,125,{0.15 + 0.3 * share:.2f})"},
        "hoverinfo": "skip",
        "showlegend": False,
    }


def ego_graph(columns: Sequence[Sequence[Row]], links: Iterable[Row]) -> Figure:
    """The neighbourhood of a user or an item, with vertices in columns.

    columns: vertices (id, name, kind), left to right and top to bottom; links: src, dst, weight,
    kind. Widths of lines are relative to the heaviest link of the same kind.
    """
    places = {
        vertex["id"]: (float(x), -(y + 0.5) / len(column))
        for x, column in enumerate(columns)
        for y, vertex in enumerate(column)
    }
    inside = [link for link in links if link["src"] in places and link["dst"] in places]
    heaviest: dict[str, float] = {}
    for link in inside:
        heaviest[link["kind"]] = max(heaviest.get(link["kind"], 0.0), link["weight"])
    data = [_link(link, places, link["weight"] / heaviest[link["kind"]]) for link in inside]
    vertices = [vertex for column in columns for vertex in column]
    kinds = {vertex["kind"] for vertex in vertices}
    colours = {kind: colour for kind, colour in _VERTEX_COLOURS.items() if kind in kinds}
    data += [_vertices(vertices, kind, colour, places) for kind, colour in colours.items()]
    hidden = {"visible": False, "fixedrange": True}
    last = len(columns) - 1
    axes = {
        "xaxis": {**hidden, "range": [-0.3, last + 0.45]},
        "yaxis": {**hidden, "range": [-1, 0.03]},
    }
    tallest = max((len(column) for column in columns), default=1)
    shown = [
        _name(label(vertex["name"]), places[vertex["id"]], shift=_LINE, size=11)
        for vertex in vertices
    ]
    margin = {"l": 10, "r": 10, "t": 20, "b": 0}
    style = {"showlegend": True, "margin": margin, "annotations": shown}
    return figure(data, height=60 + 52 * tallest, **style, **axes)


_VERTEX_COLOURS = {
    "user": INK,
    "item": OURS,
    "interest": "#e08a1e",
    "recommended": GOOD,
    "similar": "#8a5cc2",
}
_LINK_COLOURS = {"user_item": "29,95,209", "item_interest": "224,138,30", "item_item": "44,138,87"}


def _link(link: Row, places: Mapping[str, tuple[float, float]], share: float) -> Figure:
    (x0, y0), (x1, y1) = places[link["src"]], places[link["dst"]]
    rgb = _LINK_COLOURS.get(link["kind"], "91,107,125")
    return {
        "type": "scatter",
        "mode": "lines",
        "x": [x0, x1],
        "y": [y0, y1],
        "line": {"width": 0.6 + 2.4 * share, "color": f"rgba({rgb},{0.15 + 0.35 * share:.2f})"},
        "hoverinfo": "skip",
        "showlegend": False,
    }


def _vertices(
    vertices: Iterable[Row], kind: str, colour: str, places: Mapping[str, tuple[float, float]]
) -> Figure:
    chosen = [vertex for vertex in vertices if vertex["kind"] == kind]
    return {
        "type": "scatter",
        "mode": "markers",
        "name": kind,
        "x": [places[vertex["id"]][0] for vertex in chosen],
        "y": [places[vertex["id"]][1] for vertex in chosen],
        "hovertext": [html.escape(vertex["name"], quote=False) for vertex in chosen],
        "hoverinfo": "text",
        "marker": {"size": 13, "color": colour, "line": {"width": 1.5, "color": "#fff"}},
    }
