"""Tries the folder of the tables before anything is written; one line says what is wrong."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import structlog
from py4j.protocol import Py4JJavaError
from pyspark.errors import IllegalArgumentException
from pyspark.sql import SparkSession

from interest_graph.errors import ConfigError, one_line
from interest_graph.filesystem import (
    FileSystem,
    absolute,
    is_url,
    require_local_writable,
    require_writable,
    work_folder,
)

_KEY = "warehouse.table_root"
# What Hadoop's clients say, and what to do. S3 answers "forbidden" to a wrong key and to a right
# one without the permission alike.
_ADVICE = {
    r"ClassNotFoundException|NoClassDefFoundError|No FileSystem for scheme": (
        "the JAR of its file system is not on the class path: make setup-s3 for s3a, "
        "docs/object-stores.md for others"
    ),
    r"NoSuchBucket|UnknownStoreException": "there is no such bucket",
    r"NoAuthWithAWSException|No AWS Credentials|Unable to load .*credentials": (
        "no key was found: docs/object-stores.md says where it is looked for"
    ),
    r"InvalidAccessKeyId|SignatureDoesNotMatch|AccessDenied|Forbidden|Permission denied": (
        "access is denied: check the key and what it may do"
    ),
    r"ConnectException|UnknownHostException|ConnectTimeoutException|Connection refused": (
        "the store does not answer: check the endpoint"
    ),
}
# A trial is to end in seconds; the clients' own defaults go on for up to a quarter of an hour.
_FEW_RETRIES = {
    "fs.s3a.attempts.maximum": "2",
    "fs.s3a.retry.limit": "1",
    "fs.s3a.connection.establish.timeout": "5000",
    "fs.azure.io.retry.max.retries": "2",
    "fs.gs.http.max.retry": "2",
    "ipc.client.connect.max.retries": "2",
    "ipc.client.connect.max.retries.on.timeouts": "2",
}
_S3 = ("s3://", "s3a://", "s3n://")
_ONE_DRIVER = "io.delta.storage.S3SingleDriverLogStore"


def try_before_start(root: str, settings: Mapping[str, str] | None) -> None:
    """Raise ConfigError where `root` is surely a local folder, and one that cannot be written.

    A Hadoop configuration may give a path without a scheme another place, such as HDFS: which one
    is known once Spark runs, and then tried by `prepare_root`.
    """
    active = SparkSession.getActiveSession()
    if active is not None:
        require_local_writable(active, root)
        return
    told = {"spark.hadoop.fs.defaultFS", "spark.hadoop.fs.default.name"} & set(settings or {})
    variables = ("HADOOP_CONF_DIR", "YARN_CONF_DIR", "SPARK_CONF_DIR", "PYSPARK_GATEWAY_PORT")
    if not (is_url(root) or told or any(map(os.environ.get, variables))):
        require_writable(root)


def prepare_root(spark: SparkSession, root: str) -> str:
    """Try to write at the root; returns it as `absolute` does. Raises ConfigError.

    Once a process it is said when a second driver on the same tables could lose commits.
    """
    _buffer_uploads(spark)
    root = absolute(spark, root)
    local = FileSystem(spark).local_path(root)
    if local is not None:
        require_writable(local)
        return root
    _require_reachable(spark, root)
    if root.startswith(_S3) and not _has_store_for_several_drivers(spark, root):
        _warn_of_two_drivers(root)
    return root


def _require_reachable(spark: SparkSession, root: str) -> None:
    """Write a small file and delete it."""
    jvm: Any = spark._jvm
    place = jvm.org.apache.hadoop.fs.Path(f"{root}/_writable_{os.getpid()}")
    try:
        with _impatient(spark, place) as system:
            system.create(place, True).close()
            system.delete(place, False)
    except Py4JJavaError as error:
        raise ConfigError(_KEY, f"{root} cannot be written: {_explained(error)}") from None
    except IllegalArgumentException as error:  # such as a name that no bucket can have
        raise ConfigError(_KEY, f"{root} cannot be written: {one_line(error)}") from None


@contextmanager
def _impatient(spark: SparkSession, place: Any) -> Iterator[Any]:
    """The file system of a path, with few retries; Databricks' own as it is."""
    jvm: Any = spark._jvm
    conf = jvm.org.apache.hadoop.conf.Configuration(spark._jsc.hadoopConfiguration())
    if _is_databricks():
        yield place.getFileSystem(conf)
        return
    for key, value in _FEW_RETRIES.items():
        conf.set(key, value)
    # An instance of its own, as Hadoop keeps the first for all that come later.
    system = jvm.org.apache.hadoop.fs.FileSystem.newInstance(place.toUri(), conf)
    try:
        yield system
    finally:
        system.close()


def _is_databricks() -> bool:
    return "DATABRICKS_RUNTIME_VERSION" in os.environ


def _explained(error: Py4JJavaError) -> str:
    """What to do about it where that is known, and what the client said."""
    said = [str(cause.toString()) for cause in _causes(error.java_exception)]
    advice = next(
        (text for pattern, text in _ADVICE.items() if re.search(pattern, "\n".join(said))), ""
    )
    told = " ".join(said[0].split())[:300]
    return f"{advice} ({told})" if advice else told


def _causes(exception: Any) -> list[Any]:
    causes = [exception]
    while causes[-1].getCause() is not None and len(causes) < 10:
        causes.append(causes[-1].getCause())
    return causes


def _buffer_uploads(spark: SparkSession) -> None:
    """S3A writes parts to a temporary folder of the host first: to Spark's own, where it is local.

    On a cluster every node needs a folder of its own; conf/spark/s3.conf says so.
    """
    conf, key = spark._jsc.hadoopConfiguration(), "fs.s3a.buffer.dir"
    is_local = (spark.sparkContext.master or "").startswith("local")
    if is_local and "core-default.xml" in list(conf.getPropertySources(key) or []):
        conf.set(key, str(work_folder(spark) / "s3a"))


def _has_store_for_several_drivers(spark: SparkSession, root: str) -> bool:
    """Whether Delta was told of a LogStore that two drivers may use; Databricks has its own."""
    if _is_databricks():
        return True
    scheme = root.split(":", 1)[0]
    keys = (f"spark.delta.logStore.{scheme}.impl", "spark.delta.logStore.class")
    conf = spark.sparkContext.getConf()
    return any(conf.get(key, _ONE_DRIVER) != _ONE_DRIVER for key in keys)


@lru_cache(maxsize=8)
def _warn_of_two_drivers(root: str) -> None:
    structlog.get_logger().warning(
        "S3 without a LogStore for several drivers: run one driver at a time on these tables, or "
        "commits are lost; docs/object-stores.md",
        table_root=root,
    )
