"""Plotly figures of the report, as plain dictionaries: data and layout. No Spark in here.

Labels come from the data: Plotly reads a few HTML tags in them, so every one is escaped.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Row = Mapping[str, Any]
Figure = dict[str, Any]

OURS, OTHERS, GOOD, BAD, INK, RULE = (
    "#1d5fd1",
    "#9aa5b4",
    "#2c8a57",
    "#c2553b",
    "#20262e",
    "#e3e7ed",
)
_SERIES = (OURS, "#e08a1e", "#2c8a57", "#8a5cc2", "#c2553b", "#5b6b7d")
_AXIS = {"gridcolor": RULE, "zerolinecolor": RULE, "linecolor": RULE, "automargin": True}
_LABEL_CHARACTERS = 34


def funnel(steps: Sequence[tuple[str, int, bool]]) -> Figure:
    """Horizontal bars of row counts: label, rows, whether these rows were kept."""
    bars = {
        "type": "bar",
        "orientation": "h",
        "y": [_label(name) for name, _, _ in steps],
        "x": [count for _, count, _ in steps],
        "text": [f"{count:,}" for _, count, _ in steps],
        "textposition": "outside",
        "cliponaxis": False,
        "marker": {"color": [OURS if kept else BAD for _, _, kept in steps]},
        "hovertemplate": "%{y}: %{x:,} rows<extra></extra>",
    }
    largest = max((count for _, count, _ in steps), default=1)
    x = {**_AXIS, "title": {"text": "rows"}, "tickformat": ",d", "range": [0, 1.15 * largest]}
    y = {**_AXIS, "autorange": "reversed", "ticksuffix": "  "}
    return _figure([bars], height=90 + 38 * len(steps), xaxis=x, yaxis=y)


def lines(series: Mapping[str, Sequence[tuple[float, float]]], x: str, y: str) -> Figure:
    """One line per name of (x, y) points; x, y: axis titles."""
    data = [
        {
            "type": "scatter",
            "mode": "lines+markers",
            "name": _label(name),
            "x": [point[0] for point in points],
            "y": [point[1] for point in points],
            "marker": {"size": 5},
            "line": {"width": 2, "color": _SERIES[place % len(_SERIES)]},
            "hovertemplate": f"{x} %{{x}}: %{{y:.4f}}<extra></extra>",
        }
        for place, (name, points) in enumerate(series.items())
    ]
    axes = {"xaxis": {**_AXIS, "title": {"text": x}}, "yaxis": {**_AXIS, "title": {"text": y}}}
    return _figure(data, height=300, showlegend=len(data) > 1, **axes)


def grouped_bars(groups: Mapping[str, Mapping[str, float]], y: str) -> Figure:
    """Bars of models (name -> {group -> value}), a cluster a group; the first model is ours."""
    colours = (OURS, "#f0a43c", "#8fa3bd", "#5b6b7d", "#c9d1dc")
    data = [
        {
            "type": "bar",
            "name": _label(model),
            "x": [_label(group) for group in values],
            "y": list(values.values()),
            "text": [f"{value:.3f}" for value in values.values()],
            "textposition": "outside",
            "cliponaxis": False,
            "marker": {"color": colours[place % len(colours)]},
            "hovertemplate": "%{fullData.name}, %{x}: %{y:.4f}<extra></extra>",
        }
        for place, (model, values) in enumerate(groups.items())
    ]
    axis = {**_AXIS, "title": {"text": y}, "rangemode": "tozero"}
    x = {**_AXIS, "showgrid": False}
    return _figure(data, height=330, showlegend=True, barmode="group", yaxis=axis, xaxis=x)


def ego_graph(columns: Sequence[Sequence[Row]], links: Iterable[Row]) -> Figure:
    """A user's surroundings in columns: the user, their items, interests, recommendations.

    columns: vertices (id, name, kind) left to right, top to bottom; links: src, dst, weight, kind.
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
    data += [_vertices(vertices, kind, colour, places) for kind, colour in _VERTEX_COLOURS.items()]
    hidden = {"visible": False, "fixedrange": True}
    last = len(columns) - 1
    axes = {
        "xaxis": {**hidden, "range": [-0.3, last + 0.45]},
        "yaxis": {**hidden, "range": [-1, 0.03]},
    }
    tallest = max((len(column) for column in columns), default=1)
    margin = {"l": 10, "r": 10, "t": 20, "b": 0}
    return _figure(data, height=60 + 52 * tallest, showlegend=True, margin=margin, **axes)


_VERTEX_COLOURS = {"user": INK, "item": OURS, "interest": "#e08a1e", "recommended": GOOD}
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
        "mode": "markers+text",
        "name": kind,
        "x": [places[vertex["id"]][0] for vertex in chosen],
        "y": [places[vertex["id"]][1] for vertex in chosen],
        "text": [_label(vertex["name"]) for vertex in chosen],
        "hovertext": [html.escape(vertex["name"], quote=False) for vertex in chosen],
        "hoverinfo": "text",
        "textposition": "top center",
        "textfont": {"size": 11},
        "marker": {"size": 13, "color": colour, "line": {"width": 1.5, "color": "#fff"}},
    }


def _label(text: object) -> str:
    """Escaped, and short enough for an axis."""
    name = str(text)
    cut = name if len(name) <= _LABEL_CHARACTERS else f"{name[: _LABEL_CHARACTERS - 1]}…"
    return html.escape(cut, quote=False)  # Plotly shows &quot; as it stands


def _figure(data: list[Figure], *, height: int, **layout: Any) -> Figure:
    common = {
        "height": height,
        "margin": {"l": 10, "r": 20, "t": 20, "b": 40},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": "system-ui, sans-serif", "size": 13, "color": INK},
        "legend": {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
        "showlegend": False,
        "dragmode": False,
    }
    return {"data": data, "layout": {**common, **layout}}
