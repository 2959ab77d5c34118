"""Files that workers write for a Delta table, and the commits that name them."""

from __future__ import annotations

import json
import os
import time
from datetime import UTC, date, datetime
from operator import itemgetter
from pathlib import Path

import deltalake
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from pyspark.sql import functions as F

from interest_graph import delta_checkpoint, delta_commit, tables
from interest_graph.contract import Table
from interest_graph.small_tables import rows_of
from interest_graph.table_files import NewFile, TableFiles, compact
from interest_graph.worker_files import WorkerFiles, _s3_files, _s3_setting, local_name

DAYS = Table(
    name="silver.days",
    columns="name STRING NOT NULL, n BIGINT, day STRING NOT NULL",
    key=("name",),
    writer="clean",
    comment="For tests",
    partition_by=("day",),
)


def rows(*names):
    return pa.table({"name": pa.array(names), "n": pa.array(range(len(names)), pa.int64())})


def test_a_partition_has_one_file_of_all_that_a_task_writes(tmp_path):
    files = TableFiles(str(tmp_path), WorkerFiles(), "run", coded=("name",), ranged=("n",))
    writer = files.writer("00001-0")

    writer.write(rows("a", "b"), {"day": "2024-05-01"})
    writer.write(rows("c"), {"day": "2024-05-02"})
    writer.write(rows("d", "e", "f"), {"day": "2024-05-01"})
    writer.write(rows(), {"day": "2024-05-03"})
    first, second = writer.close()

    assert (first.n_rows, first.partition, first.lowest, first.highest) == (
        5,
        {"day": "2024-05-01"},
        {"n": 0},
        {"n": 2},
    )
    assert second.n_rows == 1
    assert first.path.startswith("day=2024-05-01/run-00001-0-")
    assert first.size == (tmp_path / first.path).stat().st_size
    assert pq.read_table(tmp_path / first.path)["name"].to_pylist() == ["a", "b", "d", "e", "f"]
    assert not list(tmp_path.glob("day=2024-05-03"))


def test_two_attempts_of_a_task_touch_no_file_of_each_other(tmp_path):
    files = TableFiles(str(tmp_path), WorkerFiles(), "run")
    paths = []
    for _ in range(2):
        writer = files.writer("00001-0")
        writer.write(rows("a"), {"day": "1"})
        paths += [file.path for file in writer.close()]

    assert len(set(paths)) == 2


def test_a_file_holds_the_dictionary_values_that_occur():
    column = pa.chunked_array([pa.array(["a", "b", "c", None]).dictionary_encode()])

    kept = compact(pa.table({"name": column}).slice(1, 3))

    assert kept["name"].to_pylist() == ["b", "c", None]
    assert kept["name"].combine_chunks().dictionary.to_pylist() == ["b", "c"]


def test_statistics_are_written_as_the_protocol_says():
    moment = datetime(2024, 5, 1, 10, 0, 0, 250000, tzinfo=UTC)
    action = NewFile("day=a%3Ab/x y.parquet", 3, 2, {"day": "a:b"}, {"at": moment.isoformat()})

    add = json.loads(action.as_action(7))["add"]

    assert add["path"] == "day=a%253Ab/x%20y.parquet"
    assert json.loads(add["stats"])["numRecords"] == 2


def test_committed_files_are_rows_of_the_table_and_replace_those_of_a_partition(open_pipeline):
    store = open_pipeline().store

    def write(names, day, replaced=None):
        writer = store.files_of(DAYS, ranged=("n",)).writer("0")
        writer.write(rows(*names), {"day": day})
        store.commit(DAYS, writer.close(), replaced)

    write(["a", "b"], "1")
    write(["c"], "2")
    assert sorted(map(tuple, store.read(DAYS).collect())) == [
        ("a", 0, "1"),
        ("b", 1, "1"),
        ("c", 0, "2"),
    ]
    before = store.state(DAYS).identity

    write(["d"], "1", replaced={"day": ["1", "3"]})

    assert sorted(row.name for row in store.read(DAYS).collect()) == ["c", "d"]
    assert store.state(DAYS).identity != before
    assert sorted(file.partition["day"] for file in store.live_files(DAYS, {})) == ["1", "2"]
    write(["e"], "2", replaced={})
    assert [row.name for row in store.read(DAYS).collect()] == ["e"]


def test_a_commit_without_files_or_rows_to_replace_is_none(open_pipeline):
    store = open_pipeline().store
    store.create(DAYS)
    version = store.version(DAYS)

    delta_commit.commit_files(store.spark, store.location(DAYS), [], {"day": ["1"]})

    assert store.version(DAYS) == version


def test_a_table_of_an_earlier_layout_is_brought_to_the_present_one(open_pipeline, spark):
    from pyspark.sql import functions as F

    store = open_pipeline().store
    earlier = spark.createDataFrame([("a", 1)], "name STRING, n BIGINT")
    earlier.write.format("delta").partitionBy("name").save(store.location(DAYS))

    store.upgrade(DAYS, {"day": F.lit("1")})
    store.upgrade(DAYS, {"day": F.lit("2")})  # it is as declared: nothing to do

    assert [tuple(row) for row in store.read(DAYS).collect()] == [("a", 1, "1")]
    assert [file.partition for file in store.live_files(DAYS, {})] == [{"day": "1"}]


@pytest.mark.parametrize(
    ("path", "name"),
    [("/a b/c", "/a b/c"), ("file:/a%20b/c", "/a b/c"), ("file:///a%25/c", "/a%/c")],
)
def test_local_paths_of_both_forms_name_one_file(path, name):
    assert local_name(path) == name


def test_s3_options_of_hadoop_become_those_of_pyarrow():
    unset = "session.token endpoint.region encryption.algorithm server-side-encryption-algorithm"
    given = dict.fromkeys([*unset.split(), "aws.credentials.provider"])
    given |= {"access.key": "k", "secret.key": "s", "endpoint": "http://127.0.0.1:5000"}
    given |= {"path.style.access": "true", "connection.ssl.enabled": "false"}

    files = _s3_files(given, "lake")

    assert files.options == {
        "access_key": "k",
        "secret_key": "s",
        "endpoint_override": "127.0.0.1:5000",
        "region": "us-east-1",
        "scheme": "http",
        "force_virtual_addressing": False,
    }
    assert "k" not in repr(files).replace("WorkerFiles", "")
    assert _s3_files({**given, "aws.credentials.provider": "com.example.Own"}, "lake") is None
    assert _s3_files({**given, "encryption.algorithm": "SSE-KMS"}, "lake") is None


def test_what_is_set_for_a_bucket_goes_before_what_is_set_for_all():
    conf = {"fs.s3a.endpoint": "all", "fs.s3a.bucket.lake.endpoint": "lake's"}

    assert _s3_setting(conf, "lake", "endpoint") == "lake's"
    assert _s3_setting(conf, "raw", "endpoint") == "all"
    assert _s3_setting(conf, "raw", "access.key") is None


def test_tables_say_which_columns_they_are_partitioned_by():
    assert tables.INTERACTIONS.partition_by == tables.BOTS.partition_by == ("event_period",)


def test_a_commit_that_another_one_overtakes_is_made_anew_from_the_newer_rows(open_pipeline):
    store, other = open_pipeline().store, open_pipeline().store
    store.append_rows(DAYS, rows_of(DAYS, [("a", 1, "1")]))
    seen = []

    def change(held):
        seen.append(len(held))
        if len(seen) == 1:
            other.append_rows(DAYS, rows_of(DAYS, [("b", 2, "2")]))
        return pa.concat_tables([held, rows_of(DAYS, [("c", 3, "1")])])

    store.edit_rows(DAYS, change)

    assert seen == [1, 2]
    assert sorted(row["name"] for row in store.read_rows(DAYS).to_pylist()) == ["a", "b", "c"]
    assert store.read(DAYS).count() == 3


def test_the_state_behind_a_checkpoint_is_that_which_spark_sees(open_pipeline):
    store = open_pipeline().store
    for n in range(23):
        store.append_rows(DAYS, rows_of(DAYS, [(f"n{n}", n, str(n % 2))]))
        if n == 9:
            store.edit_rows(DAYS, lambda held: held.slice(0, 5))
    log = Path(store.location(DAYS)) / "_delta_log"
    assert [file.name for file in log.glob("*.checkpoint.parquet")]
    for file in sorted(log.glob("*.json"))[:15]:
        file.unlink()  # as the clean-up of the log does

    found = store.read_rows(DAYS).to_pylist()

    key = itemgetter("n")
    expected = [row.asDict() for row in store.read(DAYS).collect()]
    assert sorted(found, key=key) == sorted(expected, key=key)
    assert len(found) == 5 + 13
    assert store.columns(DAYS) == ("name", "n", "day")


def test_a_long_log_is_trimmed_to_its_retention(open_pipeline, monkeypatch):
    store = open_pipeline().store
    for n in range(12):
        store.append_rows(DAYS, rows_of(DAYS, [(f"n{n}", n, "1")]))
    log = Path(store.location(DAYS)) / "_delta_log"
    long_ago = time.time() - 60 * 86_400
    for file in log.glob("0*"):
        if int(file.name.split(".")[0]) <= 11:
            os.utime(file, (long_ago, long_ago))

    store.trim_log(DAYS)
    assert len(list(log.glob("*.json"))) == 13  # too short to care
    monkeypatch.setattr(delta_checkpoint, "_LONG_LOG", 10)
    store.trim_log(DAYS)

    assert min(int(file.stem) for file in log.glob("*.json")) >= 10
    assert store.read(DAYS).count() == len(store.read_rows(DAYS)) == 12


def test_every_reader_reads_our_checkpoints(open_pipeline):
    """Nothing but the checkpoint is left of the log, and Spark and delta-rs go on behind it."""
    store = open_pipeline().store
    for n in range(10):
        store.append_rows(DAYS, rows_of(DAYS, [(f"n{n}", n, str(n % 2))]))
    store.edit_rows(DAYS, lambda held: held.slice(2))
    store.delete(DAYS, "n = 9")  # by Spark
    for n in range(8):
        store.append_rows(DAYS, rows_of(DAYS, [(f"m{n}", 100 + n, "1")]))
    folder = Path(store.location(DAYS))
    log = folder / "_delta_log"
    for file in log.glob("*.json"):
        if int(file.stem) <= 10:
            file.unlink()
    expected = {*range(2, 9), *range(100, 108)}

    by_rust = deltalake.DeltaTable(str(folder))
    assert set(by_rust.to_pyarrow_table()["n"].to_pylist()) == expected
    assert by_rust.metadata().partition_columns == ["day"]
    store.spark._jvm.org.apache.spark.sql.delta.DeltaLog.clearCache()
    assert {row.n for row in store.read(DAYS).collect()} == expected
    assert set(store.read_rows(DAYS)["n"].to_pylist()) == expected
    store.append(DAYS, store.read(DAYS).where("n = 100").withColumn("n", F.lit(7).cast("bigint")))
    assert store.read(DAYS).count() == len(expected) + 1
    assert store.read(DAYS).where("day = '0'").count() == sum(n % 2 == 0 for n in range(2, 9))


def test_a_table_with_later_features_is_left_to_spark(open_pipeline):
    store = open_pipeline().store
    store.append_rows(DAYS, rows_of(DAYS, [("a", 1, "1"), ("b", 2, "1")]))
    table = f"delta.`{store.location(DAYS)}`"
    vectors = "'delta.enableDeletionVectors' = 'true'"
    store.spark.sql(f"ALTER TABLE {table} SET TBLPROPERTIES ({vectors})")

    assert store.files_of(DAYS) is store.live_files(DAYS, {}) is None
    store.edit_rows(DAYS, lambda held: held.filter(pc.equal(held["name"], "b")))
    store.append_rows(DAYS, rows_of(DAYS, [("c", None, "2")]))

    assert sorted(map(tuple, store.read(DAYS).collect())) == [("b", 2, "1"), ("c", None, "2")]
    assert sorted(row["name"] for row in store.read_rows(DAYS).to_pylist()) == ["b", "c"]


def test_maps_and_times_come_back_as_they_were_written(open_pipeline):
    kept = Table(
        name="ops.kept",
        columns="name STRING NOT NULL, at TIMESTAMP, counts MAP<STRING, BIGINT>, days ARRAY<DATE>",
        key=("name",),
        writer="clean",
        comment="For tests",
    )
    store = open_pipeline().store
    moment, day = datetime(2024, 5, 1, 10, 0, 0, 123456, tzinfo=UTC), date(2024, 5, 1)

    store.append_rows(kept, rows_of(kept, [("a", moment, {"x": 1}, [day]), ("b", None, {}, [])]))

    first, second = sorted(store.read(kept).collect())
    assert first.at.astimezone(UTC) == moment
    assert (first.counts, first.days) == ({"x": 1}, [day])
    assert (second.at, second.counts, second.days) == (None, {}, [])
    assert store.read_rows(kept)["at"].to_pylist() == [moment, None]
