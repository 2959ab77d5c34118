"""Where to draw the vertices of a small graph; igraph, no Spark."""

from __future__ import annotations

import math
import random
from collections.abc import Hashable, Iterable, Sequence

import igraph
import numpy as np

_ROUNDS = 500


def spread(
    ids: Sequence[Hashable], links: Iterable[tuple[Hashable, Hashable, float]]
) -> dict[Hashable, tuple[float, float]]:
    """Positions in -1 to 1 by forces, joined vertices near each other; the same every time.

    links: two of the `ids` and a weight > 0 (Fruchterman and Reingold 1991). Meant for up to
    about 100 vertices.
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
