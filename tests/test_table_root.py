"""What is wrong with the folder of the tables is one line, before a table is touched."""

from __future__ import annotations

import pytest
import structlog

from interest_graph import table_root
from interest_graph.errors import ConfigError
from interest_graph.table_root import prepare_root, try_before_start


@pytest.fixture
def conf(spark):
    """Hadoop's settings of the session; those that are changed come back."""
    conf = spark._jsc.hadoopConfiguration()
    before = conf.get("fs.s3a.buffer.dir")
    yield conf
    conf.set("fs.s3a.buffer.dir", before)


@pytest.mark.parametrize("root", ["abfss://box@account.dfs.core.windows.net/w", "gs://lake/w"])
def test_a_store_whose_jar_is_missing_is_named(spark, root):
    with pytest.raises(ConfigError) as raised:
        prepare_root(spark, root)

    (line,) = str(raised.value).splitlines()
    assert line.startswith(f"warehouse.table_root: {root} cannot be written: the JAR of its file")


def test_a_name_that_no_bucket_can_have_is_one_line(spark):
    with pytest.raises(ConfigError, match=r"^warehouse.table_root: s3a:///w cannot be written: "):
        prepare_root(spark, "s3a:///w")


@pytest.mark.parametrize("variable", ["X", "DATABRICKS_RUNTIME_VERSION"])
def test_a_folder_that_can_be_written_is_returned_and_left_empty(
    spark, tmp_path, remote, variable, monkeypatch
):
    monkeypatch.setenv(variable, "15.4")
    assert prepare_root(spark, str(tmp_path / "w")) == str(tmp_path / "w")
    assert prepare_root(spark, f"{remote}/") == remote
    assert [list((tmp_path / name).iterdir()) for name in ("w", "remote")] == [[], []]


@pytest.mark.parametrize(
    ("variable", "settings", "is_tried"),
    [
        ("X", None, True),
        ("HADOOP_CONF_DIR", None, False),
        ("X", {"spark.hadoop.fs.defaultFS": "hdfs://n"}, False),
    ],
)
def test_before_spark_starts_only_what_is_surely_local_is_tried(
    variable, settings, is_tried, tmp_path, monkeypatch
):
    monkeypatch.setattr(table_root.SparkSession, "getActiveSession", lambda: None)
    monkeypatch.delenv("PYSPARK_GATEWAY_PORT", raising=False)
    monkeypatch.setenv(variable, "/etc/hadoop")

    try_before_start("s3a://lake/w", settings)
    try_before_start(str(tmp_path / "w"), settings)

    assert (tmp_path / "w").exists() == is_tried


def test_parts_of_uploads_lie_under_sparks_local_folder(spark, conf, tmp_path):
    prepare_root(spark, str(tmp_path))

    assert conf.get("fs.s3a.buffer.dir").startswith(spark.conf.get("spark.local.dir"))


def test_a_second_driver_on_s3_is_warned_of_once(spark, monkeypatch):
    monkeypatch.setattr(table_root, "_require_reachable", lambda *_: None)
    table_root._warn_of_two_drivers.cache_clear()

    with structlog.testing.capture_logs() as logs:
        for root in ("s3a://a/w", "s3a://a/w", "abfss://b@c/w"):
            prepare_root(spark, root)

    assert [(log["table_root"], log["log_level"]) for log in logs] == [("s3a://a/w", "warning")]
    assert "one driver at a time" in logs[0]["event"]


def test_a_logstore_for_several_drivers_ends_the_warning(spark, monkeypatch):
    monkeypatch.setattr(table_root, "_require_reachable", lambda *_: None)
    settings = {"spark.delta.logStore.s3a.impl": "io.delta.storage.S3DynamoDBLogStore"}
    monkeypatch.setattr(type(spark.sparkContext), "getConf", lambda _: settings)
    table_root._warn_of_two_drivers.cache_clear()

    with structlog.testing.capture_logs() as logs:
        prepare_root(spark, "s3a://a/w")

    assert logs == []
