"""The jobs for people: as a list, as a table, and as a flowchart of what waits for what."""

from __future__ import annotations

from collections.abc import Sequence

from interest_graph.job import Job


def listing(jobs: Sequence[Job]) -> str:
    """One block a job: name, what it does, what it reads and writes, what it runs after."""
    return "\n\n".join(map(_block, jobs))


def markdown_table(jobs: Sequence[Job]) -> str:
    """The jobs as a Markdown table, as README has it."""
    rows = ["| job | reads | writes | does |", "| --- | --- | --- | --- |"]
    for job in jobs:
        cells = (f"`{job.name}`", _tables(_reads(job)), _tables(_writes(job)), job.help)
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


def flowchart(jobs: Sequence[Job]) -> str:
    """The stages of run-all as a Mermaid flowchart; arrows are labelled with the tables that pass.

    https://mermaid.js.org/syntax/flowchart.html; GitHub and Databricks draw it.
    """
    stages = [job for job in jobs if job.is_stage]
    lines = ["flowchart TD"]
    for job in stages:
        lines += [f"    {name} --> {job.name}" for name in job.after]
        lines += [f"    {job.name}[{job.name}]"] if not job.after else []
    others = [job for job in jobs if not job.is_stage]
    for job in others:
        lines.append(f"    {job.name}([{job.name}])")
    return "\n".join(lines)


def _block(job: Job) -> str:
    kind = "stage of run-all" if job.is_stage else "on its own"
    after = f", after {', '.join(job.after)}" if job.after else ""
    reads = ", ".join(_reads(job)) or "files"
    writes = ", ".join(_writes(job)) or "-"
    return f"{job.name} ({kind}{after})\n  {job.help}\n  reads:  {reads}\n  writes: {writes}"


def _reads(job: Job) -> list[str]:
    return [table.name for table in (*job.reads, *job.optional)]


def _writes(job: Job) -> list[str]:
    return [table.name for table in job.writes]


def _tables(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
