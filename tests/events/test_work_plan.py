"""How files are dealt out to tasks."""

from __future__ import annotations

import pytest

from interest_graph.events.records import Layout
from interest_graph.events.work_plan import bytes_of_task, dealt, pieces_of

MB = 1 << 20


@pytest.mark.parametrize(
    ("n_bytes", "n_slots", "n_tasks"),
    [
        (0, 2, 1),
        (MB, 2, 1),
        (20 * MB, 2, 4),
        (100 * MB, 2, 6),
        (2000 * MB, 2, 16),
        (900 * MB, 8, 24),
    ],
)
def test_all_slots_get_as_many_tasks_of_a_fitting_size(n_bytes, n_slots, n_tasks):
    target = bytes_of_task(n_bytes, n_slots)

    assert -(-n_bytes // target) in (n_tasks, 0)
    assert target <= 128 * MB


@pytest.mark.parametrize("sizes", [[55 * MB] * 33, [1000 * MB], [3, 900 * MB, 5, 0, 200 * MB]])
def test_files_are_cut_and_dealt_out_evenly(sizes):
    target = bytes_of_task(sum(sizes), 2)
    pieces = [
        piece
        for n, size in enumerate(sizes)
        for piece in pieces_of("s", f"f{n}", size, Layout(), is_divisible=True, target=target)
    ]
    tasks = dealt(pieces, lambda piece: piece.n_bytes, target)

    held = [sum(piece.n_bytes for piece in task) for task in tasks]
    assert sum(held) == sum(sizes)
    assert [piece for task in tasks for piece in task] == pieces
    assert len(tasks) % 2 == 0
    assert max(held) <= 1.3 * target
    for n, size in enumerate(sizes):
        mine = [piece for piece in pieces if piece.split.path == f"f{n}"]
        assert mine[0].split.start == 0
        if len(mine) > 1:
            ends = [piece.split.start + piece.split.length for piece in mine]
            assert ends == [*(piece.split.start for piece in mine[1:]), size]


def test_a_file_that_is_read_from_its_start_is_one_piece():
    whole = pieces_of("s", "f", 1000 * MB, Layout(is_whole=True), is_divisible=True, target=MB)
    packed = pieces_of("s", "f", 1000 * MB, Layout(), is_divisible=False, target=MB)

    assert [piece.split.length for piece in whole + packed] == [None, None]


def test_one_large_thing_among_small_ones():
    assert dealt([1, 100, 1, 1], lambda size: size, 10) == [[1], [100], [1, 1]]
