"""What a task does with records: type them, refuse the bad, send the others to their users' parts.

No Spark here: records come in as Arrow tables, rows of task_rows go out.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa

from interest_graph.config import CleanConfig, SourceConfig
from interest_graph.events import task_rows
from interest_graph.events.facts import split_by_user, with_canonical_items
from interest_graph.events.periods import days_of
from interest_graph.events.records import constant
from interest_graph.events.rules import refuse
from interest_graph.events.typed_records import type_records
from interest_graph.table_files import TableFiles, files_as_json

QUARANTINE = "quarantine"
OF_ORIGIN = ("source", "file")  # columns of refused records that have few values


@dataclass(frozen=True)
class Received:
    """Records of one source and batch, with the column `file`.

    flags: by place in clean.rules, which records break the rules that Spark has judged; the records
    are typed already then.
    """

    source: str
    batch: str
    records: pa.Table
    flags: Mapping[int, pa.BooleanArray] = field(default_factory=dict)


@dataclass(frozen=True)
class MapWork:
    """What every task knows; picklable.

    keys: for each part the key by which Spark sends rows to it; quarantine: where refused rows are
    written, None: they go out as rows; days: of records that are read again, of batches that are
    clean already (days since 1970), None for records of new batches; aliases: item_id,
    canonical_id, packed.
    """

    sources: Mapping[str, SourceConfig]
    clean: CleanConfig
    as_of: datetime
    keys: tuple[int, ...]
    quarantine: TableFiles | None
    days: tuple[int, ...] | None = None
    aliases: bytes | None = None


@dataclass
class _Account:
    """What a task found: by batch the records, the refused ones and the days of the others."""

    n_records: Counter[str] = field(default_factory=Counter)
    n_refused: Counter[str] = field(default_factory=Counter)
    days: dict[str, set[int]] = field(default_factory=lambda: defaultdict(set))
    counts: Counter[str] = field(default_factory=Counter)
    future: int | None = None

    def as_json(self) -> dict[str, Any]:
        """The account as JSON can hold it."""
        return {
            "n_records": dict(self.n_records),
            "n_refused": dict(self.n_refused),
            "days": {batch: sorted(days) for batch, days in self.days.items()},
            "counts": dict(self.counts),
            "future": self.future,
        }


def map_records(received: Iterable[Received], work: MapWork, task: str) -> Iterator[pa.RecordBatch]:
    """Rows of accepted events by part, of refused records, and at last the summary.

    task: a name for this attempt of the task.
    """
    account = _Account()
    writer = work.quarantine.writer(task) if work.quarantine is not None else None
    aliases = None if work.aliases is None else task_rows.from_bytes(work.aliases)
    for some in received:
        accepted, refused = _judged(some, work, account)
        if refused is not None:
            partition = {"batch_id": some.batch, "kind": "events"}
            yield from task_rows.put_out(refused, QUARANTINE, partition, writer)
        if aliases is not None:
            accepted = with_canonical_items(accepted, aliases)
        parts = split_by_user(accepted, len(work.keys))
        for key, rows in zip(work.keys, parts, strict=True):
            if rows.num_rows:
                yield task_rows.packed(rows, task_rows.EVENTS, key)
    told: dict[str, Any] = {"map": account.as_json()}
    if writer is not None:
        told[QUARANTINE] = files_as_json(writer.close())
    yield task_rows.summary(told, 0)


def _judged(some: Received, work: MapWork, account: _Account) -> tuple[pa.Table, pa.Table | None]:
    """The accepted events, and the refused records of a new batch."""
    source, n = work.sources[some.source], some.records.num_rows
    typed = some.records if some.flags else type_records(some.records, source)
    verdict = refuse(typed, work.clean, source, work.as_of, some.flags)
    if work.days is not None:
        return _on_days(verdict.accepted, work.days), None
    account.n_records[some.batch] += n
    account.n_refused[some.batch] += verdict.refused.num_rows
    account.days[some.batch].update(int(day) for day in verdict.days)
    account.counts.update(verdict.counts)
    future = verdict.earliest_future
    if future is not None:
        account.future = min(future, account.future or future)
    return verdict.accepted, _with_origin(verdict.refused, some)


def _on_days(events: pa.Table, days: tuple[int, ...]) -> pa.Table:
    day = days_of(events["micros"].to_numpy())
    return events.filter(pa.array(np.isin(day, np.asarray(days, dtype=np.int32))))


def _with_origin(refused: pa.Table, some: Received) -> pa.Table | None:
    """The refused rows with their source and file."""
    if not refused.num_rows:
        return None
    return pa.table(
        {
            "source": constant(some.source, refused.num_rows),
            "file": some.records["file"].take(refused["row"]),
            **{name: refused[name] for name in ("position", "reasons", "payload")},
        }
    )
