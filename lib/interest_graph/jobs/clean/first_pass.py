"""What the tasks told of new records: refused ones by reason and batch, days of the others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from interest_graph.errors import DataError
from interest_graph.events.kernel_frames import added
from interest_graph.events.periods import as_date


@dataclass(frozen=True)
class FirstPass:
    """Result of the first pass over new batches.

    days: of the accepted records, by batch; n_refused: number of refused records by batch;
    retry_ts: earliest time of a record in the future, None if there is none; counts: records by
    reason and by warning.
    """

    days: dict[str, list[date]]
    n_refused: dict[str, int]
    retry_ts: datetime | None
    counts: dict[str, int]


def first_pass_of(told: Sequence[Mapping[str, Any]], new: Mapping[str, int]) -> FirstPass:
    """Add up the tasks' accounts.

    new: number of records by batch, as the ledger has them. Raises DataError where the tasks read
    another number.
    """
    accounts = [summary["map"] for summary in told if "map" in summary]
    _require_all_read(added(accounts, "n_records"), new)
    days: dict[str, set[int]] = {batch: set() for batch in new}
    for account in accounts:
        for batch, numbers in account["days"].items():
            days[batch].update(numbers)
    future = min((a["future"] for a in accounts if a["future"] is not None), default=None)
    refused = added(accounts, "n_refused")
    counts = {name: n for name, n in sorted(added(accounts, "counts").items()) if n}
    return FirstPass(
        {batch: [as_date(number) for number in sorted(held)] for batch, held in days.items()},
        {batch: refused[batch] for batch in new},
        None if future is None else datetime.fromtimestamp(future / 1e6, UTC),
        counts,
    )


def _require_all_read(read: Counter[str], new: Mapping[str, int]) -> None:
    wrong = [batch for batch, n in new.items() if read[batch] != n]
    if wrong:
        batch = wrong[0]
        numbers = f"bronze.files has {new[batch]}, bronze.events {read[batch]}"
        raise DataError(f"clean: records of batch {batch} are missing or doubled: {numbers}")
