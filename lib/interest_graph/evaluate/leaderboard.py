"""Leaderboards: tables and charts of gold.metrics that compare models. No Spark here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from interest_graph.evaluate import charts
from interest_graph.evaluate.page import Grid, Section

Row = Mapping[str, Any]
Rows = Sequence[Row]

_MEASURES = {
    "ndcg": "NDCG",
    "recall": "recall",
    "precision": "precision",
    "f1": "F1",
    "map": "MAP",
    "mrr": "MRR",
    "hit_rate": "hit rate",
    "coverage": "coverage",
}


def quality_section(rows: Rows) -> Section | None:
    """Section with NDCG by model and split as bars, and a table a split; None without rows."""
    groups = by_split(rows, "ndcg")
    if not groups:
        return None
    bars: dict[str, dict[str, float]] = {}
    for split, k, found in groups:
        for row in found:
            bars.setdefault(row["model"], {})[f"{split} (top {k})"] = row["value"]
    tables = [leaderboard(rows, split, k) for split, k, _ in groups]
    text = (
        "Every item of the catalogue is ranked for every user, the user's train items excluded. "
        "Lead: ours minus the baseline in NDCG over the same users, with its 95% confidence "
        "interval."
    )
    return Section(
        "quality", "Ranking quality", text, {"quality": charts.grouped_bars(bars, "NDCG")}, tables
    )


def leaderboard(rows: Rows, split: str, k: int, *, brief: bool = False) -> Grid:
    """Table of one split with a row a model: measures at list length k, and our lead in NDCG.

    rows: of gold.metrics. Our model is first, the others follow by NDCG. brief: without F1 and
    without the interval of the lead, to fit a terminal of 80 columns.
    """
    here = [row for row in rows if row["split"] == split and row["k"] == k]
    value = {(row["model"], row["metric"]): row["value"] for row in here}
    ndcg = _ours_first([row for row in here if row["metric"] == "ndcg"])
    others = [name for name in _MEASURES if name != "ndcg" and not (brief and name == "f1")]
    lines = []
    for row in ndcg:
        cells = [_decimal(value.get((row["model"], name))) for name in others]
        seconds = f"{row['seconds']:.1f}"
        lead = _interval(row, brief=brief)
        lines.append((row["model"], _decimal(row["value"]), lead, *cells, seconds))
    lead_head = "lead" if brief else "our lead in NDCG"
    heads = ("model", "NDCG", lead_head, *(_MEASURES[name] for name in others), "seconds")
    marked = frozenset(place for place, row in enumerate(ndcg) if row["is_ours"])
    numeric = frozenset(range(1, len(heads)))
    title = f"Split {split}, top {k}, {ndcg[0]['n_users']:,} users"
    return Grid(heads, lines, numeric=numeric, marked=marked, title=title)


def by_split(rows: Rows, metric: str) -> list[tuple[str, int, list[Row]]]:
    """By split: its name, its shortest list length k, and the metric's rows at k, ours first."""
    found = []
    for split in dict.fromkeys(row["split"] for row in rows):
        own = [row for row in rows if row["split"] == split and row["metric"] == metric]
        if own:
            k = min(row["k"] for row in own)
            found.append((split, k, _ours_first([row for row in own if row["k"] == k])))
    return found


def words(name: str) -> str:
    """A counter or metric in words: dropped.low_user -> low user, edges.social -> edges: social."""
    return (
        name.removeprefix("dropped.").removeprefix("reason.").replace("_", " ").replace(".", ": ")
    )


def _interval(row: Row, *, brief: bool) -> str:
    if row["lead"] is None:
        return ""
    if brief or row["lead_low"] is None:
        return f"{row['lead']:+.3f}"
    return f"{row['lead']:+.3f} ({row['lead_low']:+.3f}, {row['lead_high']:+.3f})"


def _decimal(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def _ours_first(rows: Rows) -> list[Row]:
    return sorted(rows, key=lambda row: (not row["is_ours"], -row["value"]))
