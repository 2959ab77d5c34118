"""Which files are taken in, again, or not."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from pyspark.sql import Row

from interest_graph.errors import DataError
from interest_graph.events.sources import InputFile, batch_id, plan_work

NOON = datetime(2024, 1, 1, 12, tzinfo=UTC)
A, B = (InputFile("log", f"file:/in/{name}", 10, NOON) for name in "ab")


def entry(file: InputFile, status: str, batch: str = "b1") -> Row:
    here = file.modified_ts.astimezone().replace(tzinfo=None)  # as PySpark collects it
    listed = {"size_bytes": file.size_bytes, "modified_ts": here}
    return Row(source=file.source, path=file.path, batch_id=batch, status=status, **listed)


def test_only_files_that_the_ledger_lacks_are_new():
    work = plan_work([A, B], [entry(A, "done")], mutable=set())

    assert (work.new, work.unfinished, work.abandoned) == ([B], {}, [])


def test_the_machines_time_zone_makes_no_file_another_one(monkeypatch):
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    work = plan_work([A, B], [entry(A, "done"), entry(B, "pending")], mutable=set())
    monkeypatch.undo()
    time.tzset()

    assert (work.new, work.unfinished, work.abandoned) == ([], {"b1": [B]}, [])


def test_a_pending_batch_is_finished_with_exactly_its_files():
    work = plan_work([A, B], [entry(A, "pending")], mutable=set())

    assert (work.new, work.unfinished) == ([B], {"b1": [A]})


@pytest.mark.parametrize("listed", [[], [replace(A, size_bytes=11)]])
def test_a_pending_batch_whose_file_is_gone_or_changed_is_abandoned(listed):
    work = plan_work(listed, [entry(A, "pending")], mutable=set())

    assert (work.new, work.unfinished, work.abandoned) == (listed, {}, ["b1"])


def test_a_log_file_that_changed_after_it_was_taken_in_is_an_error():
    with pytest.raises(DataError, match=r"changed since.*1 rows.*/in/a"):
        plan_work([replace(A, size_bytes=11)], [entry(A, "done")], mutable=set())


def test_a_changed_attribute_file_is_taken_in_again():
    changed = replace(A, size_bytes=11)

    assert plan_work([changed], [entry(A, "done")], mutable={"log"}).new == [changed]


def test_batch_id_depends_on_the_files_and_not_on_their_order():
    assert batch_id([A, B]) == batch_id([B, A]) != batch_id([A])
    assert batch_id([A]) != batch_id([replace(A, size_bytes=11)])
