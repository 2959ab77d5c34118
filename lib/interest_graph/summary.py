"""What a pipeline run ends with: figures, an example, and where everything lies."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import RenderableType
from rich.markup import escape
from rich.table import Table as RichTable

from interest_graph import tables
from interest_graph.evaluate.leaderboard import by_split, leaderboard
from interest_graph.evaluate.page import Grid
from interest_graph.job import Run
from interest_graph.jobs.report import example_lists, report_path
from interest_graph.progress import console

_N_ITEMS = 10

Row = Mapping[str, Any]


def print_summary(run: Run) -> None:
    """Print metrics against baselines, one user's recommendations, and where it all lies."""
    metrics = run.read_if_written(tables.METRICS)
    rows = [row.asDict() for row in metrics.collect()] if metrics is not None else []
    for part in summarise(rows, example_lists(run, n_users=1)):
        console.print(part)
    location = run.store.location(tables.METRICS).removesuffix("metrics")
    console.print(f"tables: {location.removesuffix('gold/').removesuffix('gold.')}", soft_wrap=True)
    console.print(f"report: {report_path(run)}", soft_wrap=True)


def summarise(metrics: Sequence[Row], recommended: Sequence[Row]) -> Iterator[RenderableType]:
    """A table of models for each split, and the recommendations of the user that comes first.

    metrics: rows of gold.metrics; recommended: user_id, rank, title, reason.
    """
    for split, k, _ in by_split(metrics, "ndcg"):
        yield _drawn(leaderboard(metrics, split, k, brief=True))
    if recommended:
        user = recommended[0]["user_id"]
        own = [row for row in recommended if row["user_id"] == user][:_N_ITEMS]
        lines = [(str(row["rank"]), row["title"], row["reason"]) for row in own]
        title = f"Recommendations for user {user}"
        yield _drawn(Grid(("rank", "item", "reason"), lines, frozenset({0}), title=title))


def _drawn(grid: Grid) -> RichTable:
    # Without borders a line fits 80 columns, which is what a log file gets.
    drawn = RichTable(
        title=escape(grid.title), title_justify="left", box=SIMPLE_HEAD, padding=0, pad_edge=False
    )
    for place, head in enumerate(grid.heads):
        drawn.add_column(head, justify="right" if place in grid.numeric else "left")
    for place, row in enumerate(grid.rows):
        style = "bold" if place in grid.marked else None
        drawn.add_row(*[escape(cell) for cell in row], style=style)
    return drawn
