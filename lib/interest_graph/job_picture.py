"""The graph of the jobs as an SVG picture: layers from top to bottom, arrows between them."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from itertools import pairwise

from interest_graph.job import Job
from interest_graph.job_graph import Link, depths_of, links_of

# Has a position in a layer: a job (its name), or an arrow that crosses a layer (src, dst, depth).
Vertex = str | tuple[str, str, int]
Point = tuple[float, float]

_WIDTH, _HEIGHT = 150, 38  # of a box, in pixels like all lengths here
_COLUMN = 250  # from the middle of one box to that of its neighbour
_LINE = 15  # height of a line of a label
_GAP = 60  # free height between two layers, beside that of the labels
_MARGIN = 20
_SVG = """<svg xmlns="http://www.w3.org/2000/svg" width="{width:g}" height="{height:g}" \
viewBox="0 0 {width:g} {height:g}" font-family="sans-serif" text-anchor="middle">
<defs><marker id="head" viewBox="0 0 10 10" refX="10" refY="5" markerWidth="9" markerHeight="9" \
orient="auto"><path d="M0 0L10 5L0 10z" fill="#667"/></marker></defs>
<rect width="100%" height="100%" fill="white"/>
{shapes}
</svg>
"""


def picture(jobs: Sequence[Job]) -> str:
    """The graph of job_graph.links_of as SVG; each arrow is labelled with the tables that pass.

    Jobs that are no stages of run-all have round boxes and dashed arrows. Those without any arrow
    stand in a row of their own at the bottom.
    """
    links, depths = links_of(jobs), depths_of(jobs)
    paths = [_path(link, depths) for link in links]
    layers = _layers(jobs, paths, depths)
    pitch = _HEIGHT + _GAP + _LINE * max((len(link.tables) for link in links), default=0)
    width = 2 * _MARGIN + _WIDTH + _COLUMN * (max(map(len, layers)) - 1)
    at = {
        vertex: (
            width / 2 + _COLUMN * (place - (len(layer) - 1) / 2),
            _MARGIN + _HEIGHT / 2 + pitch * row,
        )
        for row, layer in enumerate(layers)
        for place, vertex in enumerate(layer)
    }
    staged = {job.name for job in jobs if job.is_stage}
    points = [[at[vertex] for vertex in path] for path in paths]
    shapes = [_line(p, link.dst in staged) for p, link in zip(points, links, strict=True)]
    shapes += [_box(job, at[job.name]) for job in jobs]
    shapes += [_label(p, link.tables) for p, link in zip(points, links, strict=True)]
    height = 2 * _MARGIN + _HEIGHT + pitch * (len(layers) - 1)
    return _SVG.format(width=width, height=height, shapes="\n".join(shapes))


def _path(link: Link, depths: dict[str, int]) -> list[Vertex]:
    """Vertices of an arrow: its two jobs, and between them one in each layer that it crosses."""
    between = range(depths[link.src] + 1, depths[link.dst])
    return [link.src, *((link.src, link.dst, depth) for depth in between), link.dst]


def _layers(
    jobs: Sequence[Job], paths: Sequence[list[Vertex]], depths: dict[str, int]
) -> list[list[Vertex]]:
    """The vertices of each layer, from left to right, ordered by the mean place of those above.

    This keeps the number of crossings low (Sugiyama, Tagawa and Toda 1981).
    """
    above: dict[Vertex, list[Vertex]] = {}
    for path in paths:
        above.setdefault(path[0], [])
        for upper, lower in pairwise(path):
            above.setdefault(lower, []).append(upper)
    layers: list[list[Vertex]] = [[] for _ in range(max(depths.values()) + 1)]
    for vertex in above:
        layers[depths[vertex] if isinstance(vertex, str) else vertex[2]].append(vertex)
    for upper_layer, layer in pairwise(layers):
        places = {vertex: place for place, vertex in enumerate(upper_layer)}
        layer.sort(key=lambda vertex: sum(places[v] for v in above[vertex]) / len(above[vertex]))
    alone: list[Vertex] = [job.name for job in jobs if job.name not in above]
    return [*layers, alone] if alone else layers


def _line(points: Sequence[Point], is_solid: bool) -> str:
    """An arrow from below the first box to above the last one."""
    (x, top), *between, (end_x, end) = points
    route = [(x, top + _HEIGHT / 2), *between, (end_x, end - _HEIGHT / 2)]
    corners = " ".join(f"{x:g},{y:g}" for x, y in route)
    dashes = "" if is_solid else ' stroke-dasharray="5 4"'
    return (
        f'<polyline points="{corners}" fill="none" stroke="#667" stroke-width="1.5"{dashes} '
        'marker-end="url(#head)"/>'
    )


def _box(job: Job, middle: Point) -> str:
    x, y = middle
    corner = f'x="{x - _WIDTH / 2:g}" y="{y - _HEIGHT / 2:g}"'
    look = 'rx="4" fill="#dbe9f6"' if job.is_stage else f'rx="{_HEIGHT / 2:g}" fill="#f1f1ee"'
    return (
        f'<g><title>{escape(job.help)}</title><rect {corner} width="{_WIDTH}" height="{_HEIGHT}" '
        f'{look} stroke="#345"/><text x="{x:g}" y="{y + 5:g}" font-size="15">'
        f"{escape(job.name)}</text></g>"
    )


def _label(points: Sequence[Point], tables: Sequence[str]) -> str:
    """The tables' names in the middle of the arrow's last piece, one a line."""
    (x, y), (end_x, end_y) = points[-2:]
    middle, first = (x + end_x) / 2, (y + end_y - _LINE * (len(tables) - 1)) / 2 + 4
    spans = "".join(
        f'<tspan x="{middle:g}" y="{first + _LINE * n:g}">{escape(name)}</tspan>'
        for n, name in enumerate(tables)
    )
    # Drawn twice, first with a broad white outline, so that the arrow does not cross the letters.
    rim = f'<text font-size="12" fill="white" stroke="white" stroke-width="6">{spans}</text>'
    return f'{rim}<text font-size="12" fill="#223">{spans}</text>' if tables else ""
