"""The jobs and their dependencies as text: as a list, a Markdown table and a graph."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from interest_graph.job import Job


@dataclass(frozen=True)
class Link:
    """A dependency: job dst waits for job src. tables: names of those that pass between them."""

    src: str
    dst: str
    tables: tuple[str, ...]


def links_of(jobs: Sequence[Job]) -> list[Link]:
    """The dependencies between jobs, grouped by the job that waits.

    A stage waits for those that it runs after in run-all, any other job for the writers of the
    tables that it must read.
    """
    writer = {table.name: job.name for job in jobs for table in job.writes}
    links = []
    for job in jobs:
        needed = (writer[table.name] for table in job.reads if table.name in writer)
        for src in job.after if job.is_stage else dict.fromkeys(needed):
            tables = [name for name in tables_read(job) if writer.get(name) == src]
            links.append(Link(src, job.name, tuple(tables)))
    return links


def depths_of(jobs: Sequence[Job]) -> dict[str, int]:
    """Length of the longest chain of jobs that each job waits for; 0 for those that wait for none.

    Jobs of equal depth do not wait for one another.
    """
    links = links_of(jobs)
    depths = {job.name: 0 for job in jobs}
    for _ in jobs:  # as many rounds as the longest chain could need
        for link in links:
            depths[link.dst] = max(depths[link.dst], depths[link.src] + 1)
    return depths


def listing(jobs: Sequence[Job]) -> str:
    """One block a job: name, what it does, what it reads and writes, what it runs after."""
    return "\n\n".join(map(_block, jobs))


def markdown_table(jobs: Sequence[Job]) -> str:
    """The jobs as the Markdown table of README."""
    rows = ["| job | reads | writes | does |", "| --- | --- | --- | --- |"]
    for job in jobs:
        reads, writes = (
            ", ".join(f"`{name}`" for name in names)
            for names in (tables_read(job), tables_written(job))
        )
        rows.append(f"| `{job.name}` | {reads} | {writes} | {job.help} |")
    return "\n".join(rows)


def drawing(jobs: Sequence[Job]) -> str:
    """The graph as text: a line from each job down and right to those that wait for it.

    Jobs that are no stages of run-all stand in brackets. Example, with c waiting for a and b:

        a
        ├──b
        └──┴──c
    """
    depths, links = depths_of(jobs), links_of(jobs)
    linked = {name for link in links for name in (link.src, link.dst)}
    order = sorted(jobs, key=lambda job: (job.name not in linked, depths[job.name]))
    names = [job.name for job in order]
    lines = [_line(job, names[:row], links, names[row:]) for row, job in enumerate(order)]
    return "\n".join(lines)


def flowchart(jobs: Sequence[Job]) -> str:
    """The graph as a Mermaid flowchart; each arrow is labelled with the tables that pass.

    Jobs that are no stages of run-all have round boxes and dotted arrows.
    https://mermaid.js.org/syntax/flowchart.html; GitHub and Databricks draw it.
    """
    staged = {job.name for job in jobs if job.is_stage}
    lines = ["flowchart TD"]
    for job in jobs:
        lines.append(f"{job.name}[{job.name}]" if job.is_stage else f"{job.name}([{job.name}])")
    for link in links_of(jobs):
        arrow = "-->" if link.dst in staged else "-.->"
        label = f"|{'<br/>'.join(link.tables)}|" if link.tables else ""
        lines.append(f"{link.src} {arrow}{label} {link.dst}")
    return "\n    ".join(lines)


def tables_read(job: Job) -> list[str]:
    """Names of the tables that the job reads, those that need not exist included."""
    return [table.name for table in (*job.reads, *job.optional)]


def tables_written(job: Job) -> list[str]:
    """Names of the tables that the job writes."""
    return [table.name for table in job.writes]


def _block(job: Job) -> str:
    kind = "stage of run-all" if job.is_stage else "on its own"
    after = f", after {', '.join(job.after)}" if job.after else ""
    reads = ", ".join(tables_read(job)) or "-"
    writes = ", ".join(tables_written(job)) or "-"
    return f"{job.name} ({kind}{after})\n  {job.help}\n  reads:  {reads}\n  writes: {writes}"


def _line(job: Job, above: Sequence[str], links: Sequence[Link], rest: Sequence[str]) -> str:
    """The row of a job: a column for each job above it, then its name.

    rest: this job and those below it, for which lines go on.
    """
    sources = {link.src for link in links if link.dst == job.name}
    waiting = {link.src for link in links if link.dst in rest}
    below = {link.src for link in links if link.dst in rest[1:]}
    cells, is_drawn = [], False
    for name in above:
        if name in sources:
            corners = "┴┼" if is_drawn else "└├"
            corner = corners[name in below]
            is_drawn = True
        else:
            corner = "│" if name in waiting else ("─" if is_drawn else " ")
        cells.append(corner + ("──" if is_drawn else "  "))
    shown = job.name if job.is_stage else f"({job.name})"
    return "".join(cells if sources or waiting else []) + shown
