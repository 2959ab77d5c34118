"""What a job passes on to the next within one run of all stages, besides tables.

Ingest has read and parsed the new records; packed by the users' parts they wait on disk until clean
makes facts of them, which then need not be read again from bronze. Tables stay the only coupling
that a result depends on: without a handover clean reads bronze and writes the same rows.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import reduce
from typing import Any

from pyspark.sql import DataFrame


@dataclass(frozen=True)
class Packed:
    """Task rows of the records of a batch (persisted), what the tasks told, and their work."""

    rows: DataFrame
    told: list[dict[str, Any]]
    work: Any


@dataclass
class Handover:
    """The batches that wait, by id."""

    batches: dict[str, Packed] = field(default_factory=dict)

    def take(self, batches: Iterable[str]) -> Packed | None:
        """The packed records of exactly these batches, which then wait no more; else None."""
        if set(batches) != set(self.batches) or not self.batches:
            return None
        waiting = list(self.batches.values())
        self.batches = {}
        rows = reduce(DataFrame.union, [packed.rows for packed in waiting])
        told = [summary for packed in waiting for summary in packed.told]
        return Packed(rows, told, waiting[0].work)

    def release(self) -> None:
        """Give up what nobody took."""
        for packed in self.batches.values():
            packed.rows.unpersist()
        self.batches = {}
