"""Which files are taken in, again, or not."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from pyspark.sql import Row

from interest_graph.config import SourceConfig
from interest_graph.errors import ConfigError, DataError
from interest_graph.events.sources import InputFile, batch_id, plan_work, shape_of

NOON = datetime(2024, 1, 1, 12, tzinfo=UTC)
SHAPES = {"log": "s1"}
A, B = (InputFile("log", f"file:/in/{name}", 10, NOON) for name in "ab")


def entry(file: InputFile, status: str, batch: str = "b1", shape: str | None = "s1") -> Row:
    here = file.modified_ts.astimezone().replace(tzinfo=None)  # as PySpark collects it
    listed = {"size_bytes": file.size_bytes, "modified_ts": here}
    return Row(
        source=file.source, path=file.path, batch_id=batch, status=status, settings=shape, **listed
    )


def test_only_files_that_the_ledger_lacks_are_new():
    work = plan_work([A, B], [entry(A, "done")], mutable=set(), shapes=SHAPES)

    assert (work.new, work.unfinished, work.abandoned) == ([B], {}, [])


def test_the_machines_time_zone_makes_no_file_another_one(monkeypatch):
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    work = plan_work([A, B], [entry(A, "done"), entry(B, "pending")], mutable=set(), shapes=SHAPES)
    monkeypatch.undo()
    time.tzset()

    assert (work.new, work.unfinished, work.abandoned) == ([], {"b1": [B]}, [])


def test_a_pending_batch_is_finished_with_exactly_its_files():
    work = plan_work([A, B], [entry(A, "pending")], mutable=set(), shapes=SHAPES)

    assert (work.new, work.unfinished) == ([B], {"b1": [A]})


@pytest.mark.parametrize("listed", [[], [replace(A, size_bytes=11)]])
def test_a_pending_batch_whose_file_is_gone_or_changed_is_abandoned(listed):
    work = plan_work(listed, [entry(A, "pending")], mutable=set(), shapes=SHAPES)

    assert (work.new, work.unfinished, work.abandoned) == (listed, {}, ["b1"])


def test_a_log_file_that_changed_after_it_was_taken_in_is_an_error():
    with pytest.raises(DataError, match=r"changed since.*1 rows.*/in/a"):
        plan_work([replace(A, size_bytes=11)], [entry(A, "done")], mutable=set(), shapes=SHAPES)


def test_a_changed_attribute_file_is_taken_in_again():
    changed = replace(A, size_bytes=11)

    assert plan_work([changed], [entry(A, "done")], mutable={"log"}, shapes=SHAPES).new == [changed]


def test_batch_id_depends_on_the_files_and_not_on_their_order():
    assert batch_id([A, B], SHAPES) == batch_id([B, A], SHAPES) != batch_id([A], SHAPES)
    assert batch_id([A], SHAPES) != batch_id([replace(A, size_bytes=11)], SHAPES)
    assert batch_id([A], SHAPES) != batch_id([A], {"log": "other"})


def test_a_log_that_is_read_in_another_way_is_an_error_and_taken_in_again_when_forced():
    ledger = [entry(A, "done", shape="s0"), entry(B, "pending", shape="s0")]

    with pytest.raises(ConfigError, match=r"sources\.log: .*since 2 files.*ingest --force"):
        plan_work([A, B], ledger, mutable=set(), shapes=SHAPES)
    work = plan_work([A, B], ledger, mutable=set(), shapes=SHAPES, force=True)

    assert (work.new, work.unfinished, work.abandoned) == ([A, B], {}, ["b1"])
    assert work.reshaped == {"log"}


def test_attributes_that_are_read_in_another_way_are_taken_in_again():
    ledger = [entry(A, "done", shape="s0"), entry(B, "done", shape=None)]

    work = plan_work([A], ledger, mutable={"log"}, shapes=SHAPES)

    assert (work.new, work.reshaped) == ([A], {"log"})


def test_an_entry_of_an_earlier_release_does_not_say_how_it_was_read():
    assert plan_work([A], [entry(A, "done", shape=None)], mutable=set(), shapes=SHAPES).new == []


def test_what_a_deletion_vector_leaves_of_a_log_is_not_taken_in_twice():
    rest = replace(A, path=f"{A.path}#dv=x")
    ledger = [entry(A, "done")]

    assert plan_work([rest], ledger, mutable=set(), shapes=SHAPES).new == []
    assert plan_work([rest], ledger, mutable={"log"}, shapes=SHAPES).new == [rest]


def test_only_settings_that_shape_records_are_part_of_their_shape():
    columns = {"user_id": "u", "item_id": "i", "event_time": "t"}
    source = SourceConfig(name="log", path="in", action="view", columns=columns)

    assert shape_of(source) == shape_of(source.model_copy(update={"path": "x", "action": "buy"}))
    other = source.model_copy(update={"columns": {**columns, "user_id": "v"}})
    assert shape_of(source) != shape_of(other)
