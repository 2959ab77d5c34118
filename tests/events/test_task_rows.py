"""Rows between tasks: what is packed comes out as it was."""

from __future__ import annotations

import pyarrow as pa

from interest_graph.events import task_rows

CODED = pa.dictionary(pa.int32(), pa.string())


def events(*rows):
    return pa.Table.from_pylist(list(rows), pa.schema({"source": CODED, "micros": pa.int64()}))


def unpacked(*batches):
    return [task_rows.from_bytes(row["data"]) for row in task_rows.rows_of(batches)]


def test_tables_of_several_tasks_come_out_as_they_were():
    app, log = events({"source": "app", "micros": 1}), events({"source": "log", "micros": 2})
    packed = [task_rows.packed(table, task_rows.EVENTS, 3) for table in (app, log)]

    rows = list(task_rows.rows_of(packed))

    assert [(row["part"], row["kind"], row["n"]) for row in rows] == [(3, "events", 1)] * 2
    joined = pa.concat_tables(unpacked(*packed))
    assert joined.to_pylist() == [*app.to_pylist(), *log.to_pylist()]


def test_a_column_that_a_task_lacks_is_null_in_its_rows():
    some = events({"source": "app", "micros": 1})
    others = some.append_column("is_crawler", pa.array([True]))
    tables = unpacked(*(task_rows.packed(t, task_rows.EVENTS, 0) for t in (some, others)))

    joined = pa.concat_tables(tables, promote_options="default")

    assert joined["is_crawler"].to_pylist() == [None, True]


def test_bytes_of_a_slice_are_those_of_its_rows():
    table = events(*({"source": "app", "micros": n**3} for n in range(500)))

    assert task_rows.to_bytes(table.slice(100, 5)).size < task_rows.to_bytes(table).size / 3


def test_a_row_that_is_passed_on_and_a_summary_are_what_they_were():
    packed = task_rows.packed(events({"source": "app", "micros": 1}), "refused", 7)
    (row,) = task_rows.rows_of([packed])
    (told,) = task_rows.rows_of([task_rows.summary({"n": {"a": 1}}, 0)])

    assert task_rows.passed(row).equals(packed)
    assert task_rows.told(told)["n"] == {"a": 1}
    assert task_rows.told(told)["peak_mb"] > 0
