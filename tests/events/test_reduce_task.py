"""What a task tells of the users whose events it cleaned."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from interest_graph.config import CleanConfig
from interest_graph.events import reduce_task, task_rows
from interest_graph.events.reduce_task import ReduceWork, reduce_rows


def events(users):
    n = len(users)
    return pa.table(
        {
            "source": ["log"] * n,
            "user_id": pa.array(users).dictionary_encode(),
            "item_id": [f"i{k}" for k in range(n)],
            "action": ["view"] * n,
            "micros": np.arange(n) * 60_000_000,
            "value": pa.nulls(n, pa.float64()),
        }
    )


def told_of(*tables):
    rows = [task_rows.packed(table, task_rows.EVENTS, 0) for table in tables]
    work = ReduceWork(CleanConfig(), None, "day", {})
    out = task_rows.rows_of(reduce_rows(rows, "t", work=work))
    (told,) = [task_rows.told(row) for row in out if row["kind"] == task_rows.SUMMARY]
    return told


def test_users_that_are_larger_than_a_part_are_named(monkeypatch):
    monkeypatch.setattr(reduce_task, "LARGE_USER", 10)

    told = told_of(events(["a"] * 9 + ["b"] * 4), events(["b"] * 7 + ["c"]))

    assert told["large_users"] == {"b": 11}
    assert told["reduce"]["accepted"] == 21


def test_users_of_a_small_part_are_not_counted(monkeypatch):
    monkeypatch.setattr(reduce_task, "encoded", None)

    assert told_of(events(["a"] * 5))["large_users"] == {}
