"""Keeps the boxes of a drawing from covering one another. No Spark in here."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

_ROUNDS = 500


def push_apart(
    centres: Sequence[tuple[float, float]],
    sizes: Sequence[tuple[float, float]],
    frame: tuple[float, float],
) -> list[tuple[float, float]]:
    """Centres of the boxes, moved as little as separates them within the frame.

    centres: x and y from the frame's lower left corner; sizes, frame: width and height, in the
    same unit. Boxes that the frame has no room for still overlap. Meant for a few dozen.
    """
    places = np.array(centres, dtype=float).reshape(-1, 2)
    halves = np.array(sizes, dtype=float).reshape(-1, 2) / 2
    for _ in range(_ROUNDS):
        places = np.clip(places, halves, np.maximum(halves, np.array(frame) - halves))
        moved = [
            _separate(places, halves, one, other)
            for one, other in combinations(range(len(places)), 2)
        ]
        if not any(moved):
            break
    return [(float(x), float(y)) for x, y in places]


def _separate(places: Floats, halves: Floats, one: int, other: int) -> bool:
    """Move two boxes by half of their overlap each, the shorter way; whether they overlapped."""
    gap = places[other] - places[one]
    overlap = halves[one] + halves[other] - np.abs(gap)
    if overlap.min() <= 1e-9:
        return False
    axis = int(overlap.argmin())
    step = overlap[axis] / 2 * (1.0 if gap[axis] >= 0 else -1.0)
    places[one, axis] -= step
    places[other, axis] += step
    return True
