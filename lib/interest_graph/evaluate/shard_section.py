"""What the report says about the partition into shards. No Spark in here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from interest_graph.evaluate.report import Grid, Section

Row = Mapping[str, Any]

_HEADS = ("shard", "users", "edges", "items", "bytes by the mean", "expected memory, MB")


def shard_section(rows: Sequence[Row]) -> Section | None:
    """How even the shards are and what they share. rows: model.partition of one run."""
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
