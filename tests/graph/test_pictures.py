"""Pictures hold what they are given, and no more than fits."""

from __future__ import annotations

import pandas as pd

from interest_graph.graph.pictures import community_figure, ego_figure

VERTICES = pd.DataFrame(
    {
        "id": ["u:1", "i:a", "i:b", "t:War"],
        "kind": ["user", "item", "item", "interest"],
        "name": [None, "Casablanca", "A title that is much longer than what fits", "War"],
    }
)
EDGES = pd.DataFrame(
    {
        "src": ["u:1", "u:1", "i:a", "u:1"],
        "dst": ["i:a", "i:b", "t:War", "i:elsewhere"],
        "weight": [3.0, 1.0, 1.0, 9.0],
    }
)


def test_ego_figure_shows_each_kind_once_and_edges_within():
    figure = ego_figure(VERTICES, EDGES, "u:1")

    assert [trace.name for trace in figure.data if trace.name] == ["interest", "item", "user"]
    assert sum(trace.mode == "lines" for trace in figure.data) == 3
    texts = [text for trace in figure.data if trace.text is not None for text in trace.text]
    assert {"u:1", "Casablanca"} <= set(texts)
    assert max(map(len, texts)) <= 28


def test_ego_figure_puts_the_vertex_in_the_middle_every_time():
    first, again = (ego_figure(VERTICES, EDGES, "u:1") for _ in range(2))

    user = next(trace for trace in first.data if trace.name == "user")
    assert (user.x[0], user.y[0]) == (0.0, 0.0)
    assert first.to_json() == again.to_json()


def test_community_circles_grow_with_their_vertices():
    communities = pd.DataFrame({"community": [1, 2], "n_vertices": [400, 100], "title": ["A", "B"]})
    links = pd.DataFrame({"src": [1], "dst": [2], "weight": [2.0]})

    circles = community_figure(communities, links).data[-1]

    assert circles.marker.size[0] > circles.marker.size[1]
    assert list(circles.text) == ["A", "B"]
