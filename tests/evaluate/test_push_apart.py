from __future__ import annotations

import numpy as np
import pytest

from interest_graph.evaluate.label_layout import push_apart

FRAME = (1000.0, 600.0)


def overlaps(centres, sizes):
    """Pairs of boxes that cover one another by more than rounding."""
    places, halves = np.array(centres), np.array(sizes) / 2
    gaps = np.abs(places[:, None] - places[None]) - (halves[:, None] + halves[None])
    covered = (gaps < -1e-6).all(axis=2)
    return int(np.triu(covered, 1).sum())


@pytest.mark.parametrize("seed", range(10))
def test_boxes_end_apart_and_inside_the_frame(seed):
    rng = np.random.default_rng(seed)
    centres = rng.uniform((0, 0), FRAME, (12, 2)).tolist()
    sizes = rng.uniform((40, 30), (200, 90), (12, 2)).tolist()
    assert overlaps(centres, sizes)

    moved = push_apart(centres, sizes, FRAME)

    assert overlaps(moved, sizes) == 0
    assert (np.array(moved) >= np.array(sizes) / 2 - 1e-6).all()
    assert (np.array(moved) <= np.array(FRAME) - np.array(sizes) / 2 + 1e-6).all()


def test_boxes_in_one_place_are_separated():
    moved = push_apart([(500, 300)] * 3, [(100, 50)] * 3, FRAME)

    assert overlaps(moved, [(100, 50)] * 3) == 0


def test_boxes_that_lie_apart_stay():
    centres = [(100.0, 100.0), (400.0, 100.0), (400.0, 500.0)]

    assert push_apart(centres, [(100, 50)] * 3, FRAME) == centres


def test_more_than_the_frame_holds_comes_back():
    assert len(push_apart([(50, 50)] * 9, [(80, 80)] * 9, (100, 100))) == 9


def test_nothing_to_place():
    assert push_apart([], [], FRAME) == []
