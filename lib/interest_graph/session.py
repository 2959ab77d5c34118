"""Opens the one Spark session of a run, setting only what its surroundings left open."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Lock

import psutil
from pyspark import SparkConf, SparkContext
from pyspark.sql import SparkSession

from interest_graph.errors import ConfigError

_DELTA = {
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
}
# Where Spark writes records and facts. Nearly every row has a value of its own: a dictionary saves
# a thirtieth of the bytes at most, and filling those of all columns takes long (profiled).
_PLAIN = ("event_id", "session_id", "event_time", "event_ts", "position")
# What results depend on. A session that was there before has these while a job runs.
_NEEDED = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.legacy.timeParserPolicy": "CORRECTED",  # else a time of another form stops the job
    "spark.sql.ansi.enabled": "false",  # else so does a number that is none
    "spark.sql.caseSensitive": "false",
    "spark.sql.sources.partitionOverwriteMode": "STATIC",  # DYNAMIC: a replaced table keeps rows
    "spark.sql.files.ignoreCorruptFiles": "false",  # else records are lost without a word
    "spark.sql.files.ignoreMissingFiles": "false",
}
# What is better so, and can be set at any time.
_PREFERRED = {
    "spark.sql.adaptive.enabled": "true",
    # Spark's default, INT96, is 12 bytes that no reader can skip by: deprecated by Parquet.
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
    "spark.sql.execution.arrow.pyspark.enabled": "true",
    # A batch is one partition of bronze.events: its records need no sort before they are written.
    "spark.sql.maxConcurrentOutputFileWriters": "2",
}
# What only the start of Spark can set; the doctor looks after sessions that others started.
FIXED = {
    **_DELTA,
    "spark.serializer": "org.apache.spark.serializer.KryoSerializer",
    "spark.cleaner.referenceTracking.cleanCheckpoints": "true",  # else rdd-* folders pile up
    "spark.redaction.regex": "(?i)secret|password|token|access[.]?key|hmac|pepper|credential",
}
_ALWAYS = {
    **FIXED,
    **_NEEDED,
    **_PREFERRED,
    **{f"spark.hadoop.parquet.enable.dictionary#{column}": "false" for column in _PLAIN},
    "spark.ui.showConsoleProgress": "false",  # rich shows progress; both write carriage returns
}
_INTERPRETED = {
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
}


def open_session(
    app_name: str,
    *,
    checkpoint_root: str | None = None,
    settings: Mapping[str, str] | None = None,
    verbose: bool = False,
    is_light: bool = False,
) -> SparkSession:
    """Return the session that is there, or open one.

    A session that spark-submit, Databricks or a notebook prepared keeps every setting that it has;
    of what can be set while it lives, the absent is set. `settings` are those of a properties
    file, for starts without spark-submit. Spark's own log is off unless `verbose`: a job's error
    is one line, not a task's stack trace. is_light: a session opened here is for jobs whose work is
    done by kernels, so that Java need not compile its code twice.
    """
    session = _session_before()
    if session is None:
        _point_workers_at_this_python()
        session = _build(app_name, dict(settings or {}), is_light=is_light)
        session.sparkContext.setLogLevel("WARN" if verbose else "OFF")
    else:
        _complete(session)
    if checkpoint_root is not None:
        set_checkpoint_folder(session, checkpoint_root)
    return session


@contextmanager
def job_settings(spark: SparkSession) -> Iterator[None]:
    """The block has the settings that results depend on, whatever the session's user set."""
    others = {key: value for key, value in _NEEDED.items() if not _has(spark, key, value)}
    with temporarily(spark, others):
        yield


@contextmanager
def interpreting(spark: SparkSession, *, small: bool = True) -> Iterator[None]:
    """Run the plans of small work as they are: to compile them takes longer than they run."""
    with temporarily(spark, _INTERPRETED if small else {}):
        yield


@contextmanager
def temporarily(spark: SparkSession, settings: Mapping[str, str]) -> Iterator[None]:
    """Session settings within the block; afterwards the session's own come back.

    Blocks of several threads may overlap: the last one to end restores what was there before the
    first one began.
    """
    with ExitStack() as stack:
        for key, value in settings.items():
            stack.enter_context(_override(spark, key, value))
        yield


# By session and setting: the session's own value, then those of the blocks that have not ended.
_overrides: dict[tuple[SparkSession, str], list[str | None]] = {}
_overrides_lock = Lock()


@contextmanager
def _override(spark: SparkSession, key: str, value: str) -> Iterator[None]:
    with _overrides_lock:
        before = spark.conf.get(key, None)
        spark.conf.set(key, value)
        values = _overrides.setdefault((spark, key), [before])
        values.append(value)
    try:
        yield
    finally:
        with _overrides_lock:
            # Of equal values the newest goes, and the session's own stays.
            del values[len(values) - 1 - values[::-1].index(value)]
            _set_or_unset(spark, key, values[-1])
            if len(values) == 1:
                del _overrides[spark, key]


def _set_or_unset(spark: SparkSession, key: str, value: str | None) -> None:
    if value is None:
        spark.conf.unset(key)
    else:
        spark.conf.set(key, value)


def _has(spark: SparkSession, key: str, value: str) -> bool:
    return str(spark.conf.get(key, "")).upper() == value.upper()


def has_session() -> bool:
    """Whether a session has been started in this process."""
    return SparkContext._active_spark_context is not None


def _session_before() -> SparkSession | None:
    """The session of this thread or, where it has none, the one that was started before."""
    session = SparkSession.getActiveSession()
    if session is None and has_session():
        session = SparkSession.builder.getOrCreate()  # without settings it changes none
    return session


def _complete(spark: SparkSession) -> None:
    """Set what the session's user left open."""
    for key, value in {**_NEEDED, **_PREFERRED}.items():
        if spark.conf.get(key, None) is None:
            spark.conf.set(key, value)


def read_properties(path: str | Path) -> dict[str, str]:
    """Read a spark-submit properties file: `key value` or `key=value` lines and # comments."""
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise ConfigError(str(path), f"cannot be read ({error.strerror})") from None
    stripped = (line.strip() for line in lines)
    pairs = (
        line.replace("=", " ", 1).split(None, 1)
        for line in stripped
        if line and not line.startswith("#")
    )
    return {pair[0]: pair[1].strip() if len(pair) > 1 else "" for pair in pairs}


def _point_workers_at_this_python() -> None:
    # Workers otherwise take python3 from PATH and lack pandas.
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    os.environ.setdefault("PYSPARK_DRIVER_PYTHON", sys.executable)


def _build(app_name: str, settings: dict[str, str], *, is_light: bool) -> SparkSession:
    submitted = _submitted_conf()
    conf = submitted or SparkConf(loadDefaults=False).setAll(list(settings.items()))
    master = conf.get("spark.master", "local[*]") or "local[*]"
    for key, value in _defaults(master, is_light=is_light).items():
        conf.setIfMissing(key, value)
    if submitted is None and master.startswith("local") and _workers_find_package():
        conf.setIfMissing("spark.python.daemon.module", "interest_graph.worker_daemon")
    conf.setIfMissing("spark.app.name", app_name)
    return SparkSession.builder.config(conf=conf).getOrCreate()


def _workers_find_package() -> bool:
    """Whether the package is installed where workers start, not only on this process's path.

    Elsewhere it comes to them in a file that Spark passes on, which a daemon does not see.
    """
    look = "import importlib.util as u, sys; sys.exit(u.find_spec('interest_graph') is None)"
    try:
        command = [os.environ["PYSPARK_PYTHON"], "-c", look]
        return subprocess.run(command, check=False, stderr=subprocess.DEVNULL).returncode == 0
    except OSError:  # no such Python: the first task will say so
        return False


def _submitted_conf() -> SparkConf | None:
    """What spark-submit was told, or None for a plain Python start."""
    if "PYSPARK_GATEWAY_PORT" not in os.environ:
        return None
    SparkContext._ensure_initialized()
    return SparkConf()


def _defaults(master: str, *, is_light: bool) -> dict[str, str]:
    if not master.startswith("local"):
        return {**_ALWAYS, "spark.master": master}
    # Executors are threads of this host: bind to it alone, and size for it.
    os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
    return {
        **_ALWAYS,
        "spark.master": master,
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.memory": f"{_heap_mb()}m",
        "spark.sql.shuffle.partitions": str(2 * (os.cpu_count() or 1)),
        # Default 10000: a task for each of a batch's files, to list one file.
        "spark.sql.sources.parallelPartitionDiscovery.parallelism": str(os.cpu_count() or 1),
        "spark.databricks.delta.snapshotPartitions": "2",  # default 50: small logs, many tasks
        # On a local disk Hadoop starts ten processes (chmod, readlink) for each checksum file.
        "spark.databricks.delta.writeChecksumFile.enabled": "false",
        "spark.ui.enabled": "false",
        "spark.driver.extraJavaOptions": " ".join(filter(None, _java_options(is_light=is_light))),
    }


def _java_options(*, is_light: bool) -> tuple[str, str, str]:
    """With its quick compiler alone Java starts in half the time, but joins take twice as long."""
    return _quiet_log(), _collector(), "-XX:TieredStopAtLevel=1" if is_light else ""


def _quiet_log() -> str:
    file = Path(__file__).resolve().with_name("log4j2.properties")
    return f"-Dlog4j2.configurationFile={file.as_uri()}"


def _collector() -> str:
    """Against G1, Java's default, a tenth less time: nobody waits for a pause here."""
    # Java refuses to start with two collectors.
    told = [os.environ.get(name, "") for name in ("JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS")]
    return "" if any("GC" in options for options in told) else "-XX:+UseParallelGC"


def _heap_mb() -> int:
    """A third of the memory for the JVM, at most 8 GiB: Python workers need the rest."""
    return int(min(8192, psutil.virtual_memory().total // 3 // 2**20))


def set_checkpoint_folder(spark: SparkSession, root: str) -> None:
    """Have frames that Spark checkpoints written under `root`, unless a folder is set already."""
    context = spark.sparkContext
    # getCheckpointDir is not in PySpark's own API for 3.5 without a JVM call
    if context._jsc.sc().getCheckpointDir().isEmpty():
        context.setCheckpointDir(root)
