"""Sections of the report, made from rows of the tables. No Spark here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from interest_graph.evaluate import charts
from interest_graph.evaluate.graph_sections import (
    Communities,
    Ego,
    community_section,
    ego_section,
    item_section,
    shape_section,
)
from interest_graph.evaluate.leaderboard import by_split, quality_section, words
from interest_graph.evaluate.page import Grid, Page, Section, Tile

Row = Mapping[str, Any]
Rows = Sequence[Row]


@dataclass(frozen=True)
class Findings:
    """Rows of the tables that the report shows; empty where a job has not run.

    runs: newest row of ops.runs of each job, with its start as text in `started`; cleaning: row
    counts of the newest clean run with new records; graph: graph.metrics of one version; training,
    partition: model.training_log and model.partition of one model run; metrics: gold.metrics;
    recommendations: user_id, rank, title, reason, strategy of some users; ego: neighbourhood of a
    user; item: that of an item.
    """

    project: str
    as_of: datetime
    runs: Rows = ()
    cleaning: Mapping[str, int] = field(default_factory=dict)
    graph: Rows = ()
    training: Rows = ()
    partition: Rows = ()
    metrics: Rows = ()
    recommendations: Rows = ()
    communities: Communities | None = None
    ego: Ego | None = None
    item: Ego | None = None


def make_page(findings: Findings) -> Page:
    """The report as a page; sections without data are left out."""
    parts = [
        _cleaning(findings.cleaning),
        shape_section(findings.graph),
        community_section(findings.communities),
        _training(findings.training),
        shard_section(findings.partition),
        quality_section(findings.metrics),
        ego_section(findings.ego),
        item_section(findings.item),
        _samples(findings.recommendations),
        _runs(findings.runs),
    ]
    return Page(
        project=findings.project,
        as_of=f"{findings.as_of:%Y-%m-%d %H:%M}",
        tiles=_tiles(findings),
        sections=[part for part in parts if part is not None],
    )


def _tiles(findings: Findings) -> list[Tile]:
    after = {row["metric"]: row["value"] for row in findings.graph if row["stage"] == "after"}
    names = {
        "vertices.user": "users",
        "vertices.item": "items",
        "edges.user_item": "interests kept",
    }
    tiles = [Tile(label, f"{after[key]:,.0f}") for key, label in names.items() if key in after]
    if "kept" in findings.cleaning:
        tiles.insert(0, Tile("clean interactions", f"{findings.cleaning['kept']:,}"))
    for split, k, rows in by_split(findings.metrics, "ndcg"):
        ours = [row for row in rows if row["is_ours"]]
        tiles += [Tile(f"NDCG@{k}, {split}", f"{row['value']:.3f}") for row in ours]
    return tiles


def _cleaning(counts: Mapping[str, int]) -> Section | None:
    if not counts:
        return None
    steps = [("received", counts.get("rows_in", 0), True)]
    lost = {"quarantined": counts.get("quarantined", 0)}
    lost |= {words(name): n for name, n in counts.items() if name.startswith("dropped.")}
    steps += [(name, n, False) for name, n in lost.items() if n]
    steps.append(("kept", counts.get("kept", 0), True))
    reasons = [
        (words(name), f"{n:,}") for name, n in counts.items() if name.startswith("reason.") and n
    ]
    table = Grid(
        ("broken rule", "records"), reasons, numeric=frozenset({1}), title="Quarantined for"
    )
    text = "Where the received records went; every one is kept, dropped or quarantined."
    return Section(
        "cleaning",
        "Cleaning",
        text,
        {"cleaning": charts.row_count_bars(steps)},
        [table] if reasons else [],
    )


def _training(rows: Rows) -> Section | None:
    whole = sorted((row for row in rows if row["shard_id"] < 0), key=lambda row: row["round"])
    shards = [row for row in rows if row["shard_id"] >= 0]
    if not whole:
        return None
    losses = {"all shards": _points(whole, "loss")}
    if not losses["all shards"]:
        numbers = sorted({row["shard_id"] for row in shards})
        losses = {
            f"shard {number}": _points([r for r in shards if r["shard_id"] == number], "loss")
            for number in numbers
        }
    figures = {
        "loss": charts.lines({k: v for k, v in losses.items() if v}, "round", "training loss"),
        "validation": charts.lines(
            {"validation": _points(whole, "metric")}, "round", "NDCG on validation pairs"
        ),
    }
    shown = {name: figure for name, figure in figures.items() if figure["data"]}
    model = whole[0]["model"]
    text = (
        f"{model}, {len(whole)} rounds in {sum(row['seconds'] for row in whole):,.0f} s; the "
        "validation pairs are part of the training window, never of a test part."
    )
    return Section("training", "Training", text, shown, _shard_table(shards))


def _shard_table(shards: Rows) -> list[Grid]:
    numbers = sorted({row["shard_id"] for row in shards})
    lines = []
    for number in numbers:
        own = [row for row in shards if row["shard_id"] == number]
        seconds = sum(row["seconds"] for row in own) / len(own)
        peak = max(row["peak_memory_mb"] for row in own)
        lines.append((str(number), f"{len(own)}", f"{seconds:.2f}", f"{peak:,.0f}"))
    heads = ("shard", "rounds", "seconds a round", "peak worker memory, MB")
    return [Grid(heads, lines, numeric=frozenset({1, 2, 3}))] if lines else []


def _samples(rows: Rows) -> Section | None:
    if not rows:
        return None
    tables = []
    for user in dict.fromkeys(row["user_id"] for row in rows):
        own = sorted((row for row in rows if row["user_id"] == user), key=lambda row: row["rank"])
        lines = [(str(row["rank"]), row["title"], row["reason"], row["strategy"]) for row in own]
        tables.append(Grid(("rank", "item", "reason", "strategy"), lines, title=f"User {user}"))
    text = "What a user gets, with the path in the graph behind each item."
    return Section("recommendations", "Recommendations", text, tables=tables)


def _runs(rows: Rows) -> Section | None:
    if not rows:
        return None
    lines = [
        (
            row["job"],
            row["started"],
            row["status"],
            f"{row['seconds']:,.1f}",
            f"{row['peak_memory_mb']:,.0f}",
            _versions(row["reads"]),
            _versions(row["writes"]),
        )
        for row in rows
    ]
    heads = ("job", "started (UTC)", "status", "seconds", "peak MB", "tables read", "written")
    grid = Grid(heads, lines, numeric=frozenset({3, 4}))
    text = "The newest run of each job, with the Delta versions that it read and left."
    return Section("runs", "Runs and table versions", text, tables=[grid])


def _points(rows: Rows, name: str) -> list[tuple[float, float]]:
    return [(row["round"], row[name]) for row in rows if row[name] is not None]


def _versions(versions: Mapping[str, int]) -> str:
    """Tables with versions as text, without those that do not exist (version below 0)."""
    held = sorted((table, version) for table, version in versions.items() if version >= 0)
    return ", ".join(f"{table} v{version}" for table, version in held)


_HEADS = ("shard", "users", "edges", "items", "bytes by the mean", "expected memory, MB")


def shard_section(rows: Sequence[Row]) -> Section | None:
    """Section on sizes of the shards and items that they share; None without rows.

    rows: model.partition of one model run.
    """
    shards = sorted((row for row in rows if row["shard_id"] >= 0), key=lambda row: row["shard_id"])
    whole = next((row for row in rows if row["shard_id"] < 0), None)
    if whole is None:
        return None
    lines = [
        (
            str(row["shard_id"]),
            *(f"{row[name]:,}" for name in ("n_users", "n_edges", "n_items")),
            f"{row['imbalance']:.3f}",
            f"{row['expected_mb']:,.0f}",
        )
        for row in shards
    ]
    table = Grid(_HEADS, lines, numeric=frozenset(range(1, len(_HEADS))))
    return Section("shards", "Shards", _summary(whole, len(shards)), tables=[table])


def _summary(whole: Row, n_shards: int) -> str:
    text = (
        "No edge is cut: a user's edges stay in one shard. An item is in "
        f"{whole['replication']:.2f} of {n_shards} shards on average, and "
        f"{whole['shared_edges']:.1%} of the edges have an item that several shards know."
    )
    if not whole["n_hubs"]:
        return text
    listed = ", ".join(whole["hubs"])
    return f"{text} Hubs, which a tenth of the users know or more: {whole['n_hubs']:,} ({listed})."
