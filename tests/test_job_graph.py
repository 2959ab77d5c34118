"""The jobs drawn: what waits for what, in each form."""

from __future__ import annotations

import re
from itertools import combinations
from xml.etree import ElementTree

import pytest

from interest_graph.contract import Table
from interest_graph.job import Job
from interest_graph.job_graph import (
    Link,
    depths_of,
    drawing,
    flowchart,
    links_of,
    listing,
    markdown_table,
)
from interest_graph.job_picture import picture
from interest_graph.registry import all_jobs, stages

SVG = "{http://www.w3.org/2000/svg}"


def table(name):
    return Table(name=name, columns="id STRING", key=("id",), writer="a", comment="")


def job(name, *after, **declared):
    return Job(name, f"does {name}", lambda _run: None, after=after, is_stage=True, **declared)


@pytest.fixture
def jobs():
    """a, b and d are a chain; c waits for a and b; x stands aside and reads what a writes."""
    first, second = table("s.first"), table("s.second")
    return [
        job("a", writes=(first, second)),
        job("b", "a", reads=(first,)),
        job("c", "a", "b", optional=(second,)),
        job("d", "c"),
        Job("x", "does x", lambda _run: None, reads=(second,)),
        Job("y", "does y", lambda _run: None),
    ]


def test_a_job_waits_for_those_before_it_or_for_the_writers_of_what_it_reads(jobs):
    assert links_of(jobs) == [
        Link("a", "b", ("s.first",)),
        Link("a", "c", ("s.second",)),
        Link("b", "c", ()),
        Link("c", "d", ()),
        Link("a", "x", ("s.second",)),
    ]
    assert depths_of(jobs) == {"a": 0, "b": 1, "c": 2, "d": 3, "x": 1, "y": 0}


def test_the_drawing_has_a_line_from_each_job_to_those_that_wait_for_it(jobs):
    assert drawing(jobs).splitlines() == [
        "a",
        "├──b",
        "├──│──(x)",
        "└──┴─────c",
        "         └──d",
        "(y)",
    ]


def test_the_flowchart_labels_arrows_with_the_tables_that_pass(jobs):
    lines = [line.strip() for line in flowchart(jobs).splitlines()]

    assert lines[:2] == ["flowchart TD", "a[a]"]
    assert "y([y])" in lines
    assert "a -->|s.first| b" in lines
    assert "b --> c" in lines
    assert "a -.->|s.second| x" in lines


def test_list_and_table_have_a_row_a_job(jobs):
    assert "c (stage of run-all, after a, b)\n  does c\n  reads:  s.second" in listing(jobs)
    assert "| `b` | `s.first` |  | does b |" in markdown_table(jobs).splitlines()


def shapes(jobs):
    """Boxes by job (left, top, right, bottom), the corners of each arrow, and the texts."""
    root = ElementTree.fromstring(picture(jobs))
    boxes = {}
    for group in root.iter(f"{SVG}g"):
        box = group.find(f"{SVG}rect")
        x, y, width, height = (float(box.get(key)) for key in ("x", "y", "width", "height"))
        boxes[group.find(f"{SVG}text").text] = (x, y, x + width, y + height)
    arrows = [
        [tuple(map(float, corner.split(","))) for corner in line.get("points").split()]
        for line in root.iter(f"{SVG}polyline")
    ]
    return boxes, arrows, {span.text for span in root.iter(f"{SVG}tspan")}


@pytest.mark.parametrize("which", ["made", "all"])
def test_the_picture_has_every_job_once_and_no_two_boxes_overlap(jobs, which):
    drawn = jobs if which == "made" else all_jobs()

    boxes, arrows, texts = shapes(drawn)

    assert boxes.keys() == {job.name for job in drawn}
    assert len(arrows) == len(links_of(drawn))
    assert texts == {name for link in links_of(drawn) for name in link.tables}
    for one, other in combinations(boxes.values(), 2):
        is_beside = one[2] < other[0] or other[2] < one[0]
        assert is_beside or one[3] < other[1] or other[3] < one[1]


def test_an_arrow_leads_from_below_one_box_to_above_the_other_and_round_those_between(jobs):
    boxes, arrows, _ = shapes(jobs)

    for link, corners in zip(links_of(jobs), arrows, strict=True):
        assert corners[0][1] == boxes[link.src][3]
        assert corners[-1][1] == boxes[link.dst][1]
    past_b = arrows[1][1]  # a to c bends beside b
    assert not boxes["b"][0] <= past_b[0] <= boxes["b"][2]


def test_the_graph_of_the_suite_has_every_stage_below_those_that_it_runs_after():
    rows = re.findall(r"\w+", drawing(all_jobs()))

    for stage in stages():
        assert all(rows.index(name) < rows.index(stage.name) for name in stage.after)
