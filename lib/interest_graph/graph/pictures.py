"""Pictures of a graph for people: a vertex and what is around it, and the map of communities."""

from __future__ import annotations

import math
import random

import igraph
import numpy as np
import numpy.typing as npt
import pandas as pd
import plotly.graph_objects as go

_COLOURS = {"user": "#4477aa", "item": "#ee6677", "interest": "#228833"}  # Tol's bright scheme
_EDGE_COLOUR = "#b0b0b0"
_LABEL_LENGTH = 28


def ego_figure(vertices: pd.DataFrame, edges: pd.DataFrame, centre: str) -> go.Figure:
    """A vertex in the middle of its neighbourhood; line widths follow weights.

    vertices: id, kind, name (None: the key is shown); edges: src, dst, weight, both ends among the
    vertices. Meant for up to about 60 vertices.
    """
    order = vertices.drop_duplicates("id").set_index("id")
    links = edges[edges["src"].isin(order.index) & edges["dst"].isin(order.index)]
    places = _layout(list(order.index), links, centre)
    figure = go.Figure([*_lines(links, places), *_dots(order, places, centre)])
    return _bare(figure, f"Around {_label(order['name'][centre], centre)}")


def community_figure(communities: pd.DataFrame, links: pd.DataFrame) -> go.Figure:
    """The largest communities as circles, area by vertices, joined by the weight between them.

    communities: community, n_vertices, title; links: src, dst (communities), weight.
    """
    ids = list(communities["community"])
    places = _layout(ids, links, centre=None)
    points = np.array([places[name] for name in ids])
    sizes = communities["n_vertices"].to_numpy(dtype=float)
    circles = go.Scatter(
        x=points[:, 0],
        y=points[:, 1],
        mode="markers+text",
        text=[_short(title) for title in communities["title"]],
        textposition="top center",
        hovertext=[
            f"{title}: {size:.0f} vertices"
            for title, size in zip(communities["title"], sizes, strict=True)
        ],
        hoverinfo="text",
        marker={
            "size": 12 + 60 * np.sqrt(sizes / sizes.max()),
            "color": _COLOURS["user"],
            "opacity": 0.75,
        },
    )
    return _bare(go.Figure([*_lines(links, places), circles]), "Communities")


def _layout(
    ids: list[object], edges: pd.DataFrame, centre: object
) -> dict[object, npt.NDArray[np.float64]]:
    """Positions by a force-directed layout from a fixed start: the same picture every time."""
    number = {name: position for position, name in enumerate(ids)}
    ends = [(number[a], number[b]) for a, b in zip(edges["src"], edges["dst"], strict=True)]
    angles = [2 * math.pi * position / max(1, len(ids)) for position in range(len(ids))]
    start = [(math.cos(angle), math.sin(angle)) for angle in angles]
    igraph.set_random_number_generator(random.Random(0))
    graph = igraph.Graph(n=len(ids), edges=ends)
    places = np.array(graph.layout_fruchterman_reingold(seed=start, niter=500, grid=False).coords)
    places = places - (places[number[centre]] if centre in number else places.mean(axis=0))
    return {name: places[position] for name, position in number.items()}


def _lines(edges: pd.DataFrame, places: dict[object, npt.NDArray[np.float64]]) -> list[go.Scatter]:
    """One trace per edge: widths cannot differ within a trace."""
    weights = edges["weight"].to_numpy(dtype=float)
    widths = 0.6 + 4.0 * weights / weights.max() if len(weights) else weights
    return [
        go.Scatter(
            x=[places[src][0], places[dst][0]],
            y=[places[src][1], places[dst][1]],
            mode="lines",
            hoverinfo="skip",
            line={"width": float(width), "color": _EDGE_COLOUR},
        )
        for src, dst, width in zip(edges["src"], edges["dst"], widths, strict=True)
    ]


def _dots(
    vertices: pd.DataFrame, places: dict[object, npt.NDArray[np.float64]], centre: str
) -> list[go.Scatter]:
    """One trace per kind, so that the legend names the colours."""
    traces = []
    for kind, rows in vertices.groupby("kind", sort=True):
        points = np.array([places[name] for name in rows.index])
        labels = [_label(given, name) for name, given in rows["name"].items()]
        sizes = [24 if name == centre else 13 for name in rows.index]
        traces.append(
            go.Scatter(
                x=points[:, 0],
                y=points[:, 1],
                mode="markers+text",
                name=str(kind),
                text=[_short(label) for label in labels],
                hovertext=labels,
                hoverinfo="text",
                textposition="top center",
                textfont={"size": 10},
                marker={"size": sizes, "color": _COLOURS.get(str(kind), _EDGE_COLOUR)},
            )
        )
    return traces


def _bare(figure: go.Figure, title: str) -> go.Figure:
    hidden = {"visible": False}
    figure.update_layout(
        title=title, template="plotly_white", xaxis=hidden, yaxis=hidden, height=640
    )
    figure.for_each_trace(lambda trace: trace.update(showlegend=trace.name is not None))
    return figure


def _label(given: object, key: object) -> str:
    return given if isinstance(given, str) and given else str(key)


def _short(text: str) -> str:
    return text if len(text) <= _LABEL_LENGTH else f"{text[: _LABEL_LENGTH - 1]}…"
