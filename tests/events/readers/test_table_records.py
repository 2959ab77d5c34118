"""Rows of tables as records: where columns are, what they say, and what is left over."""

from __future__ import annotations

import datetime as dt
import io
import json
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from interest_graph.config import SourceConfig
from interest_graph.errors import DataError
from interest_graph.events.readers.table_records import (
    inspect_parquet,
    layout_of,
    read_parquet,
    records_of,
    resolve,
)
from interest_graph.events.records import Layout, schema_of

PLAIN = {"user_id": "user", "item_id": "item", "event_time": "ts"}
INSTANT = dt.datetime(2024, 5, 1, 10)


def source(columns=PLAIN, **options) -> SourceConfig:
    fixed = {"name": "log", "format": "parquet", "path": "in", "action": "view"}
    if options.get("kind", "events") != "events":
        del fixed["action"]
    return SourceConfig(**fixed, columns=columns, **options)


def parquet(table: pa.Table, **options) -> io.BytesIO:
    file = io.BytesIO()
    pq.write_table(table, file, **options)
    return file


def read(table: pa.Table, config: SourceConfig, folders=None, **options) -> pa.Table:
    file = parquet(table, **options)
    layout = inspect_parquet(file, config, folders)
    return pa.concat_tables(read_parquet(file, config, layout))


def table(**columns) -> pa.Table:
    n_rows = len(next(iter(columns.values())))
    usual = {"user": ["u"] * n_rows, "item": ["i"] * n_rows, "ts": [INSTANT] * n_rows}
    return pa.table({**usual, **columns})


def test_records_have_their_row_number_and_the_schema_of_all_records():
    records = read(table(item=["a", None, ""]), source())

    assert records.schema == schema_of(PLAIN)
    assert records.drop_columns(["payload", "user_id"]).to_pylist() == [
        {"position": n, "length": None, "is_readable": True, "item_id": item, "event_time": text}
        for n, (item, text) in enumerate([(i, "2024-05-01T10:00:00") for i in ("a", None, "")])
    ]


def test_lists_of_categories_and_of_items_are_json_arrays():
    items = pa.table({"sku": ["a", "b"], "genres": [["Action", "Indie"], None]})
    config = source({"item_id": "sku", "categories": "genres"}, kind="items")

    assert read(items, config)["categories"].to_pylist() == ['["Action","Indie"]', None]
    lists = table(item=[["a", "b"], []])
    assert read(lists, source(explode=","))["item_id"].to_pylist() == ['["a","b"]', "[]"]


@pytest.mark.parametrize(
    ("items", "ids"),
    [
        ([12345678.0, None], ["12345678", None]),
        (pa.array([12345678.0, float("nan")]), ["12345678", None]),
        (pa.array([16777216.0], pa.float32()), ["16777216"]),
        ([Decimal("12345678.00")], ["12345678"]),
        (pa.array([2**64 - 1], pa.uint64()), ["18446744073709551615"]),
        ([[12345678.0, 9.0]], ["[12345678,9]"]),
        ([{"id": 1e15}], ['{"id":1000000000000000}']),
    ],
)
def test_ids_that_became_floating_point_numbers_join_those_that_did_not(items, ids):
    assert read(table(item=items), source())["item_id"].to_pylist() == ids


@pytest.mark.parametrize(
    ("times", "text"),
    [
        (pa.array([INSTANT], pa.timestamp("ns")), "2024-05-01T10:00:00"),
        (
            pa.array([1_714_557_600_000_000_123], pa.timestamp("ns")),
            "2024-05-01T10:00:00.000000123",
        ),
        (pa.array([INSTANT], pa.timestamp("ns", "Asia/Tokyo")), "2024-05-01T10:00:00Z"),
        (pa.array([INSTANT], pa.timestamp("ms")), "2024-05-01T10:00:00"),
        (pa.array([INSTANT.date()]), "2024-05-01"),
        (pa.array([1_714_557_600_000], pa.int64()), "1714557600000"),
        (pa.array([1_714_557_600_000_000.0]), "1714557600000000"),
        (pa.array([1_714_557_600.25]), "1714557600.25"),
    ],
)
def test_times_of_every_type_have_a_text_that_typing_reads(times, text):
    assert read(table(ts=times), source())["event_time"].to_pylist() == [text]


def test_the_oldest_kind_of_timestamp_is_an_instant_of_any_year():
    times = pa.array([INSTANT, dt.datetime(9999, 12, 31)], pa.timestamp("us"))

    records = read(table(ts=times), source(), use_deprecated_int96_timestamps=True)

    texts = records["event_time"].to_pylist()
    assert texts == ["2024-05-01T10:00:00Z", "9999-12-31T00:00:00Z"]


STRUCT = pa.struct([("id", pa.string()), ("geo", pa.struct([("Zip", pa.string())]))])


@pytest.mark.parametrize(
    ("name", "fields", "path"),
    [
        ("user.id", [("user.id", pa.string()), ("user", STRUCT)], (0,)),
        ("user.id", [("user", STRUCT)], (0, 0)),
        ("user.geo.Zip", [("user", STRUCT)], (0, 1, 0)),
        ("a.user.id", [("a.user", STRUCT)], (0, 0)),
        ("User.Geo.zip", [("user", STRUCT)], (0, 1, 0)),
        ("userid", [("UserId", pa.string())], (0,)),
        ("userid", [("UserId", pa.string()), ("userid", pa.string())], (1,)),
        ("userid", [("UserId", pa.string()), ("USERID", pa.string())], None),
        ("USER.ID", [("user.id", pa.string()), ("User", STRUCT)], (0,)),
        ("user.zip", [("user", STRUCT)], None),
        ("user.", [("user", STRUCT)], None),
    ],
)
def test_a_column_is_found_by_its_name_then_within_structs_then_in_another_case(name, fields, path):
    assert resolve(name, pa.schema(fields)) == path


def test_columns_with_dots_and_fields_of_structs_are_read():
    rows = table(client=[{"id": "c"}, None]).append_column("user.id", [["x", "y"]])
    columns = {"user_id": "user.id", "item_id": "client.id", "event_time": "TS"}

    records = read(rows, source(columns))

    assert records["user_id"].to_pylist() == ["x", "y"]
    assert records["item_id"].to_pylist() == ["c", None]


def test_the_payload_has_the_columns_that_are_not_mapped_with_their_types():
    rows = table(
        n=[1, None],
        price=[Decimal("1.10"), None],
        at=pa.array([1, None], pa.timestamp("ns", "UTC")),
        tags=[["a", 'b"'], None],
        nested=[{"x": True, "y": None}, None],
    )

    payload = read(rows, source())["payload"].to_pylist()

    assert payload[1] is None
    assert payload[0].startswith('{"n":1,"price":1.10,"at":"1970-01-01T00:00:00.000000001Z",')
    assert json.loads(payload[0])["tags"] == ["a", 'b"']
    assert json.loads(payload[0])["nested"] == {"x": True}


def test_nothing_left_over_is_no_payload():
    assert read(table(item=["a"]), source())["payload"].to_pylist() == [None]


def test_a_mapped_column_may_come_from_a_folder():
    rows = table(item=["a", "b"]).drop_columns(["ts"])

    records = read(rows, source(), folders={"ts": "2024-05-01", "hour": None})

    assert records["event_time"].to_pylist() == ["2024-05-01"] * 2
    assert records["payload"].to_pylist() == [None] * 2


@pytest.mark.parametrize("folders", [{"item": None}, {"ITEM": None}])
def test_hives_default_partition_is_a_missing_value(folders):
    rows = table(user=["a"]).drop_columns(["item"])

    assert read(rows, source(), folders=folders)["item_id"].to_pylist() == [None]


def test_a_column_of_the_file_goes_before_a_folders():
    records = read(table(item=["file"]), source(), folders={"item": "folder"})

    assert records["item_id"].to_pylist() == ["file"]


def test_an_optional_column_that_is_absent_is_null():
    config = source({**PLAIN, "value": "price"}, optional=["value"])

    assert read(table(item=["a"]), config)["value"].to_pylist() == [None]


def test_missing_columns_are_an_error_that_lists_those_present():
    config = source({**PLAIN, "value": "price", "event_id": "no"})
    schema = pa.schema([("user", STRUCT), ("item", pa.string()), ("ts", pa.string())])

    with pytest.raises(DataError) as error:
        layout_of(schema, config, {"dt": "x"})

    present = "user, user.id, user.geo, user.geo.Zip, item, ts, dt"
    assert str(error.value) == f"has no column price, no; present: {present}"


def test_row_groups_are_read_one_by_one_with_the_row_numbers_of_the_file():
    file = parquet(table(item=[str(n) for n in range(25)]), row_group_size=10)
    layout = inspect_parquet(file, source())

    records = pa.concat_tables(read_parquet(file, source(), layout, row_groups=[2, 0]))

    assert records["position"].to_pylist() == [*range(20, 25), *range(10)]
    assert records["item_id"].to_pylist() == [str(n) for n in records["position"].to_pylist()]


def test_a_row_group_of_long_texts_is_read_in_smaller_batches(monkeypatch):
    monkeypatch.setattr("interest_graph.events.readers.table_records._BYTES", 10_000)
    file = parquet(table(item=[f"{n:1000}" for n in range(50)]))

    batches = list(read_parquet(file, source(), inspect_parquet(file, source())))

    assert max(len(batch) for batch in batches) <= 10
    assert pa.concat_tables(batches)["position"].to_pylist() == list(range(50))


def test_an_empty_file_has_no_layout(tmp_path):
    (tmp_path / "f").touch()

    assert inspect_parquet(str(tmp_path / "f"), source()) is None
    assert inspect_parquet(io.BytesIO(), source()) is None


def test_a_path_is_read_as_an_open_file_is(tmp_path):
    pq.write_table(table(item=["a"]), tmp_path / "f")

    (records,) = read_parquet(str(tmp_path / "f"), source(), Layout())

    assert records["item_id"].to_pylist() == ["a"]
    with pytest.raises(DataError, match=r"^is not Parquet \([^\n]+\)$"):
        inspect_parquet(str(tmp_path / "none"), source())


def test_a_file_without_rows_gives_no_records():
    empty = parquet(table(item=["a"]).slice(0, 0))

    assert list(read_parquet(empty, source(), inspect_parquet(empty, source()))) == []
    assert records_of(table(item=["a"]).slice(0, 0), 0, source(), Layout()).num_rows == 0


@pytest.mark.parametrize(
    "content",
    [
        b"P",
        b"PAR1",
        b"user,item\nu,i\n",
        parquet(table(item=["a"])).getvalue()[:-20],
        b"\x00" * 100,
    ],
)
def test_what_is_no_parquet_file_is_an_error_of_one_line(content):
    with pytest.raises(DataError, match=r"^is not Parquet \([^\n]+\)$"):
        inspect_parquet(io.BytesIO(content), source())


def test_an_encrypted_file_is_an_error_that_says_so():
    content = parquet(table(item=["a"])).getvalue()

    with pytest.raises(DataError, match=r"^is encrypted \([^\n]+\)$"):
        inspect_parquet(io.BytesIO(b"PARE" + content[4:-4] + b"PARE"), source())


def test_damage_within_a_file_is_an_error_of_one_line():
    content = bytearray(parquet(table(item=[str(n) for n in range(1000)])).getvalue())
    content[4:60] = b"\xff" * 56
    file = io.BytesIO(bytes(content))

    with pytest.raises(DataError, match=r"^is damaged \([^\n]+\)$"):
        list(read_parquet(file, source(), inspect_parquet(file, source())))


def test_rows_that_the_footer_promises_and_the_file_lacks_are_an_error(monkeypatch):
    batches = "interest_graph.events.readers.table_records._batches"
    monkeypatch.setattr(batches, lambda parquet, group: parquet.read().slice(1).to_batches())
    file = parquet(table(item=["a", "b"]))

    with pytest.raises(DataError, match="is damaged"):
        list(read_parquet(file, source(), Layout()))
