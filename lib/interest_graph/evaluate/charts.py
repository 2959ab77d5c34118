"""Plotly figures of the report, as plain dictionaries with data and layout. No Spark here.

Plotly interprets some HTML tags in labels; labels come from the data, so all are escaped.
"""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import Any

Figure = dict[str, Any]

OURS, OTHERS, GOOD, BAD, INK, RULE = (
    "#1d5fd1",
    "#9aa5b4",
    "#2c8a57",
    "#c2553b",
    "#20262e",
    "#e3e7ed",
)
SERIES = (OURS, "#e08a1e", "#2c8a57", "#8a5cc2", "#c2553b", "#5b6b7d")
AXIS = {"gridcolor": RULE, "zerolinecolor": RULE, "linecolor": RULE, "automargin": True}
_LABEL_CHARACTERS = 34


def row_count_bars(steps: Sequence[tuple[str, int, bool]]) -> Figure:
    """Horizontal bars of row counts. steps: (label, number of rows, whether they were kept)."""
    bars = {
        "type": "bar",
        "orientation": "h",
        "y": [label(name) for name, _, _ in steps],
        "x": [count for _, count, _ in steps],
        "text": [f"{count:,}" for _, count, _ in steps],
        "textposition": "outside",
        "cliponaxis": False,
        "marker": {"color": [OURS if kept else BAD for _, _, kept in steps]},
        "hovertemplate": "%{y}: %{x:,} rows<extra></extra>",
    }
    largest = max((count for _, count, _ in steps), default=1)
    x = {**AXIS, "title": {"text": "rows"}, "tickformat": ",d", "range": [0, 1.15 * largest]}
    y = {**AXIS, "autorange": "reversed", "ticksuffix": "  "}
    return figure([bars], height=90 + 38 * len(steps), xaxis=x, yaxis=y)


def lines(series: Mapping[str, Sequence[tuple[float, float]]], x: str, y: str) -> Figure:
    """A line chart. series: name -> (x, y) points; x, y: titles of the axes."""
    hover = f"{x} %{{x}}: %{{y:.4f}}<extra></extra>"
    data = [
        curve(name, points, {"color": SERIES[place % len(SERIES)]}, hover)
        for place, (name, points) in enumerate(series.items())
    ]
    axes = {"xaxis": {**AXIS, "title": {"text": x}}, "yaxis": {**AXIS, "title": {"text": y}}}
    return figure(data, height=300, showlegend=len(data) > 1, **axes)


def curve(
    name: str, points: Sequence[tuple[float, float]], line: Mapping[str, Any], hover: str
) -> Figure:
    """One Plotly trace of (x, y) points; line: its colour and dash; hover: its hover template."""
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": label(name),
        "x": [point[0] for point in points],
        "y": [point[1] for point in points],
        "marker": {"size": 5},
        "line": {"width": 2, **line},
        "hovertemplate": hover,
    }


def grouped_bars(groups: Mapping[str, Mapping[str, float]], y: str) -> Figure:
    """Bars by group and model. groups: model -> {group -> value}, ours first; y: axis title."""
    colours = (OURS, "#f0a43c", "#8fa3bd", "#5b6b7d", "#c9d1dc")
    data = [
        {
            "type": "bar",
            "name": label(model),
            "x": [label(group) for group in values],
            "y": list(values.values()),
            "text": [f"{value:.3f}" for value in values.values()],
            "textposition": "outside",
            "cliponaxis": False,
            "marker": {"color": colours[place % len(colours)]},
            "hovertemplate": "%{fullData.name}, %{x}: %{y:.4f}<extra></extra>",
        }
        for place, (model, values) in enumerate(groups.items())
    ]
    axis = {**AXIS, "title": {"text": y}, "rangemode": "tozero"}
    x = {**AXIS, "showgrid": False}
    return figure(data, height=330, showlegend=True, barmode="group", yaxis=axis, xaxis=x)


def label(text: object) -> str:
    """The text escaped as HTML; of a text above _LABEL_CHARACTERS only the start and the end."""
    name, half = str(text), _LABEL_CHARACTERS // 2
    cut = name if len(name) <= _LABEL_CHARACTERS else f"{name[:half]}…{name[1 - half :]}"
    return html.escape(cut, quote=False)  # Plotly would show &quot; literally


def figure(data: list[Figure], *, height: int, **layout: Any) -> Figure:
    """A figure of these traces in the style of the page; height in pixels, layout as in Plotly."""
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
