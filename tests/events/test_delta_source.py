"""Delta tables of every make as sources: their files and the records of these."""

from __future__ import annotations

import datetime as dt
import json

import pyarrow as pa
import pytest

from interest_graph.config import SourceConfig
from interest_graph.errors import DataError
from interest_graph.events.delta_source import (
    _records,
    data_file,
    delta_files,
    delta_layout,
    delta_records,
)

COLUMNS = {"user_id": "user", "item_id": "item", "event_time": "ts"}
ODD = [" a:b&c/d%20", "x=y#z", "日本 %", '"q"\\[1]{2}', "plain", None]


def source(path, columns=COLUMNS) -> SourceConfig:
    return SourceConfig(name="log", format="delta", path=str(path), columns=columns, action="view")


def write(spark, path, rows, ddl="user STRING, item STRING, ts STRING", by=(), **options):
    frame = spark.createDataFrame(rows, ddl).coalesce(1)
    frame.write.format("delta").options(**options).partitionBy(*by).save(str(path))


def test_a_table_partitioned_by_any_text_is_read_file_by_file(spark, tmp_path):
    path = tmp_path / "t b%#é"
    write(spark, path, [("u", text, "2024-05-01") for text in ODD], by=["item"])
    files = [file.path for file in delta_files(spark, source(path))]

    half = delta_records(spark, source(path), files[::2]).collect()
    others = delta_records(spark, source(path), files[1::2]).collect()

    assert len(files) == 6
    assert {row.item_id for row in [*half, *others]} == set(ODD)
    assert {row.file for row in half} == set(files[::2])
    assert all(row.position == 0 and row.is_readable and row.payload is None for row in others)


def test_files_of_ordinary_tables_are_listed_as_before(spark, tmp_path):
    write(spark, tmp_path / "t", [("u", "i", "2024-05-01")], by=["item"])

    uris = spark.read.format("delta").load(str(tmp_path / "t")).inputFiles()
    files = delta_files(spark, source(tmp_path / "t"))
    assert [file.path for file in files] == [uri.replace("file:///", "file:/") for uri in uris]


def test_files_are_also_found_where_deltas_log_is_out_of_reach(spark, tmp_path, monkeypatch):
    write(spark, tmp_path / "t", [("u", ODD[0], "2024-05-01")], by=["item"])
    expected = delta_files(spark, source(tmp_path / "t"))
    monkeypatch.setattr("interest_graph.events.delta_source._delta_log", lambda _: None)

    assert delta_files(spark, source(tmp_path / "t")) == expected
    records = delta_records(spark, source(tmp_path / "t"), [expected[0].path])
    assert [row.item_id for row in records.collect()] == [ODD[0]]


def test_a_table_on_another_file_system_is_read(spark, remote):
    write(spark, f"{remote}/t b", [("u", ODD[0], "2024-05-01")], by=["item"])
    (file,) = delta_files(spark, source(f"{remote}/t b"))

    (record,) = delta_records(spark, source(f"{remote}/t b"), [file.path]).collect()

    assert (record.file, record.item_id) == (file.path, ODD[0])


def test_a_deletion_vector_takes_rows_away_and_makes_another_input(spark, tmp_path):
    path = tmp_path / "t"
    rows = [(f"u{n}", "i", "2024-05-01") for n in range(5)]
    write(spark, path, rows, **{"delta.enableDeletionVectors": "true"})
    (before,) = delta_files(spark, source(path))
    spark.sql(f"DELETE FROM delta.`{path}` WHERE user IN ('u1', 'u3')")
    (after,) = delta_files(spark, source(path))

    records = delta_records(spark, source(path), [after.path]).orderBy("position").collect()

    assert [(row.position, row.user_id) for row in records] == [(0, "u0"), (2, "u2"), (4, "u4")]
    assert records[0].file == after.path != before.path == data_file(after.path)
    with pytest.raises(DataError, match=r"no longer in the table \(1 rows\)"):
        delta_records(spark, source(path), [before.path])


def test_mapped_names_with_blanks_dots_and_odd_case_are_read_with_their_types(spark, tmp_path):
    path = tmp_path / "t"
    spark.conf.set("spark.sql.session.timeZone", "America/New_York")
    try:
        row = spark.sql(
            "SELECT 7D AS `user.id`, named_struct('Id', array('a')) AS `my item`, "
            "TIMESTAMP'2024-05-01 10:00:00.5Z' AS TS, 1.50BD AS price, "
            "TIMESTAMP_NTZ'2024-05-01 10:00:00' AS `at, here`"
        )
        options = {"delta.columnMapping.mode": "name", "delta.feature.timestampNtz": "supported"}
        row.write.format("delta").options(**options).save(str(path))
        columns = {"user_id": "user.id", "item_id": "my item.id", "event_time": "ts"}
        files = [file.path for file in delta_files(spark, source(path))]

        (record,) = delta_records(spark, source(path, columns), files).collect()
    finally:
        spark.conf.set("spark.sql.session.timeZone", "UTC")

    assert (record.user_id, record.item_id) == ("7", '["a"]')
    assert record.event_time == "2024-05-01T10:00:00.500Z"
    rest = {"my item": {"Id": ["a"]}, "price": 1.5, "at, here": "2024-05-01T10:00:00"}
    assert json.loads(record.payload) == rest


def test_missing_columns_and_missing_tables_are_errors_of_one_line(spark, tmp_path):
    write(spark, tmp_path / "t", [("u", "i", "2024-05-01")])
    wrong = source(tmp_path / "t", {**COLUMNS, "value": "price"})

    with pytest.raises(DataError, match=r"^source log: .*/t has no column price; present: user, i"):
        delta_layout(spark, wrong)
    with pytest.raises(DataError, match=r"^source log: no Delta table at [^\n]*/none [^\n]*$"):
        delta_files(spark, source(tmp_path / "none"))


def rows_of(*splits: tuple[str, int, int]) -> pa.RecordBatch:
    """Rows without numbers, of splits of files: URI, start, number of rows."""
    places = [(uri, start) for uri, start, n_rows in splits for _ in range(n_rows)]
    row = {"user": "u", "item": "i", "ts": dt.date(2024, 5, 1)}
    return pa.RecordBatch.from_pydict(
        {
            "file": [uri for uri, _ in places],
            "start": pa.array([start for _, start in places], pa.int64()),
            "position": pa.nulls(len(places), pa.int64()),
            "row": [row] * len(places),
        }
    )


def test_rows_without_numbers_are_counted_in_each_split_of_a_file():
    batches = [rows_of(("a", 0, 2), ("b", 0, 1)), rows_of(("b", 0, 2), ("a", 4096, 2))]

    records = pa.Table.from_batches(
        _records(batches, source=source("t"), listed={"a": "A", "b": "B"})
    )

    assert records["file"].to_pylist() == ["A", "A", "B", "B", "B", "A", "A"]
    far = 4096 * 1024
    assert records["position"].to_pylist() == [0, 1, 0, 1, 2, far, far + 1]
    assert records["event_time"].to_pylist() == ["2024-05-01"] * 7
