"""Positions of the vertices and labels of a small drawing. No Spark here."""

from __future__ import annotations

import math
import random
from collections.abc import Hashable, Iterable, Sequence
from itertools import combinations

import igraph
import numpy as np
import numpy.typing as npt

_ROUNDS = 500


def spread(
    ids: Sequence[Hashable], links: Iterable[tuple[Hashable, Hashable, float]]
) -> dict[Hashable, tuple[float, float]]:
    """Force-directed positions, x and y from -1 to 1, by id (Fruchterman and Reingold 1991).

    links: two of the `ids` and a weight > 0, which pulls them together. The same input gives the
    same positions. Meant for up to about 100 vertices.
    """
    if not ids:
        return {}
    number = {name: position for position, name in enumerate(ids)}
    ends = [(number[src], number[dst], weight) for src, dst, weight in links]
    heaviest = max((weight for *_, weight in ends), default=1.0)
    angles = [2 * math.pi * position / len(ids) for position in range(len(ids))]
    igraph.set_random_number_generator(random.Random(0))
    graph = igraph.Graph(n=len(ids), edges=[end[:2] for end in ends])
    drawn = graph.layout_fruchterman_reingold(
        weights=[0.05 + weight / heaviest for *_, weight in ends],
        seed=[(math.cos(angle), math.sin(angle)) for angle in angles],
        niter=_ROUNDS,
        grid=False,
    )
    places = np.array(drawn.coords)
    places = places - (places.max(axis=0) + places.min(axis=0)) / 2
    size = np.abs(places).max(axis=0)
    places = places / np.where(size > 0, size, 1.0)
    return {name: (float(x), float(y)) for name, (x, y) in zip(ids, places, strict=True)}


Floats = npt.NDArray[np.float64]

_PUSHES = 500


def push_apart(
    centres: Sequence[tuple[float, float]],
    sizes: Sequence[tuple[float, float]],
    frame: tuple[float, float],
) -> list[tuple[float, float]]:
    """Move the centres of boxes, as little as possible, so that the boxes do not overlap.

    centres: x and y from the lower left corner of the frame; sizes, frame: width and height, all in
    one unit. Boxes stay within the frame; if it is too small for all, some still overlap. Meant for
    a few dozen boxes.
    """
    places = np.array(centres, dtype=float).reshape(-1, 2)
    halves = np.array(sizes, dtype=float).reshape(-1, 2) / 2
    for _ in range(_PUSHES):
        places = np.clip(places, halves, np.maximum(halves, np.array(frame) - halves))
        moved = [
            _separate(places, halves, one, other)
            for one, other in combinations(range(len(places)), 2)
        ]
        if not any(moved):
            break
    return [(float(x), float(y)) for x, y in places]


def _separate(places: Floats, halves: Floats, one: int, other: int) -> bool:
    """Separate two boxes along the axis of less overlap; returns whether they overlapped."""
    gap = places[other] - places[one]
    overlap = halves[one] + halves[other] - np.abs(gap)
    if overlap.min() <= 1e-9:
        return False
    axis = int(overlap.argmin())
    step = overlap[axis] / 2 * (1.0 if gap[axis] >= 0 else -1.0)
    places[one, axis] -= step
    places[other, axis] += step
    return True
