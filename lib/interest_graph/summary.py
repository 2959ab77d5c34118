"""The printed summary at the end of run-all: metrics, an example, paths of tables and report."""

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
    """Print metrics against baselines, one user's recommendations, paths of tables and report."""
    metrics = run.read_if_written(tables.METRICS)
    rows = [row.asDict() for row in metrics.collect()] if metrics is not None else []
    for part in summarise(rows, example_lists(run, n_users=1)):
        console.print(part)
    location = run.store.location(tables.METRICS).removesuffix("metrics")
    console.print(f"tables: {location.removesuffix('gold/').removesuffix('gold.')}", soft_wrap=True)
    console.print(f"report: {report_path(run)}", soft_wrap=True)


def summarise(metrics: Sequence[Row], recommended: Sequence[Row]) -> Iterator[RenderableType]:
    """A leaderboard for each split, then the recommendations of the first user of `recommended`.

    metrics: rows of gold.metrics; recommended: user_id, rank, title, reason.
    """
    for split, k, _ in by_split(metrics, "ndcg"):
        yield _as_rich_table(leaderboard(metrics, split, k, brief=True))
    if recommended:
        user = recommended[0]["user_id"]
        own = [row for row in recommended if row["user_id"] == user][:_N_ITEMS]
        lines = [(str(row["rank"]), row["title"], row["reason"]) for row in own]
        title = f"Recommendations for user {user}"
        yield _as_rich_table(Grid(("rank", "item", "reason"), lines, frozenset({0}), title=title))


def _as_rich_table(grid: Grid) -> RichTable:
    # Without borders the lines fit 80 columns, the width of output that is not a terminal.
    drawn = RichTable(
        title=escape(grid.title), title_justify="left", box=SIMPLE_HEAD, padding=0, pad_edge=False
    )
    for place, head in enumerate(grid.heads):
        drawn.add_column(head, justify="right" if place in grid.numeric else "left")
    for place, row in enumerate(grid.rows):
        style = "bold" if place in grid.marked else None
        drawn.add_row(*[escape(cell) for cell in row], style=style)
    return drawn
