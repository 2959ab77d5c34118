"""What a task does with all events of some users: makes facts of them and writes these.

No Spark here: rows of task_rows come in and go out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa

from interest_graph.config import CleanConfig
from interest_graph.events import task_rows
from interest_graph.events.facts import Cleaned, clean_part
from interest_graph.events.facts.codes import encoded
from interest_graph.events.periods import period_of_days
from interest_graph.table_files import TableFiles, files_as_json

INTERACTIONS, BOTS = "interactions", "bots"
BYTES_OF_EVENT = 400  # that a worker holds at its peak
LARGE_USER = 1_000_000  # events
_ROWS_PACKED = 100_000  # facts that travel in one row


@dataclass(frozen=True)
class ReduceWork:
    """What every task knows; picklable.

    days: to write (days since 1970), None for all; grain: how long a partition is (periods.GRAINS);
    files: by name where the tables are written, empty: facts and bots go out as rows.
    """

    clean: CleanConfig
    days: tuple[int, ...] | None
    grain: str
    files: Mapping[str, TableFiles]


def reduce_rows(
    batches: Iterable[pa.RecordBatch], task: str, *, work: ReduceWork
) -> Iterator[pa.RecordBatch]:
    """Facts and bots of the users whose events come in, as files or rows, and a summary.

    Rows that hold no events go out as they came. task: a name for this attempt of the task.
    """
    events: list[pa.Table] = []
    for row in task_rows.rows_of(batches):
        if row["kind"] == task_rows.EVENTS:
            events.append(task_rows.from_bytes(row["data"]))
        else:
            yield task_rows.passed(row)
    if not events:
        return
    whole = pa.concat_tables(events, promote_options="default")
    events.clear()
    days = None if work.days is None else np.asarray(work.days, dtype=np.int32)
    large = _large_users(whole)
    cleaned = clean_part(whole, work.clean, days)
    del whole
    yield from _put_out(cleaned, large, work, task)


def _large_users(events: pa.Table) -> dict[str, int]:
    """Numbers of events of the users with more than LARGE_USER: no part is smaller than a user."""
    if len(events) <= LARGE_USER:
        return {}
    codes, users = encoded(events["user_id"])
    n_events = np.bincount(codes, minlength=len(users))
    return {
        users[user].as_py(): int(n_events[user]) for user in np.flatnonzero(n_events > LARGE_USER)
    }


def _put_out(
    cleaned: Cleaned, large: Mapping[str, int], work: ReduceWork, task: str
) -> Iterator[pa.RecordBatch]:
    told: dict[str, Any] = {"reduce": cleaned.counts, "large_users": large}
    for name, rows in ((INTERACTIONS, cleaned.facts), (BOTS, cleaned.bots.sort_by("event_date"))):
        files = work.files.get(name)
        if files is None:
            yield from _as_rows(rows, name, work.grain)
            continue
        writer = files.writer(task)
        for period, some in by_period(rows, work.grain):
            writer.write(some, {"event_period": period})
        told[name] = files_as_json(writer.close())
    yield task_rows.summary(told, 0)


def by_period(rows: pa.Table, grain: str) -> Iterator[tuple[str, pa.Table]]:
    """The rows of each partition; rows: with event_date, in whose order they are."""
    days = rows["event_date"].cast(pa.int32()).to_numpy()
    if not len(days):
        return
    first_of_day = np.append(0, np.flatnonzero(days[1:] != days[:-1]) + 1)
    periods = period_of_days(days[first_of_day], grain)
    is_first = np.append(True, periods[1:] != periods[:-1])
    edges = [*first_of_day[is_first].tolist(), len(days)]
    for period, (start, end) in zip(periods[is_first].tolist(), pairwise(edges), strict=True):
        yield period, rows.slice(start, end - start)


def _as_rows(rows: pa.Table, kind: str, grain: str) -> Iterator[pa.RecordBatch]:
    for period, some in by_period(rows, grain):
        whole = task_rows.labelled(some, event_period=period)
        for start in range(0, len(whole), _ROWS_PACKED):
            yield task_rows.packed(whole.slice(start, _ROWS_PACKED), kind, 0)
