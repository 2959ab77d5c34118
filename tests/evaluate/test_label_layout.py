"""Places to draw vertices at."""

from __future__ import annotations

import numpy as np

from interest_graph.evaluate.label_layout import spread

GROUPS = [("a", "b", 1.0), ("b", "c", 1.0), ("a", "c", 1.0), ("x", "y", 1.0), ("c", "x", 0.1)]


def test_places_fill_the_square_the_same_way_every_time():
    first, again = (spread("abcxy", GROUPS) for _ in range(2))

    assert first == again
    assert np.abs(list(first.values())).max(axis=0).tolist() == [1.0, 1.0]


def test_joined_vertices_are_near_each_other():
    places = {name: np.array(place) for name, place in spread("abcxy", GROUPS).items()}

    assert np.linalg.norm(places["a"] - places["b"]) < np.linalg.norm(places["a"] - places["y"])


def test_one_vertex_and_none():
    assert spread(["a"], []) == {"a": (0.0, 0.0)}
    assert spread([], []) == {}
