"""Checks what the suite stands on; each mismatch is one line that says what to do."""

from __future__ import annotations

import os
import platform
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

import pandas as pd
import pyspark
from packaging.requirements import Requirement
from pyspark.sql import Row, SparkSession

from interest_graph.errors import EnvironmentProblem
from interest_graph.session import FIXED

# As in pyproject.toml: a cluster or Databricks brings versions of its own.
_PACKAGES = {
    "delta-spark>=3.2,<4": "delta",
    "graphframes-py>=0.10.0,<0.10.1": "graphframes",
    "pyarrow>=14.0.1": "pyarrow",
    "pandas>=1.5.3,<3": "pandas",
    "numpy>=1.23.5,<3": "numpy",
    "torch>=2.3.1,<3": "torch",
}
_CLASSES = {
    "io.delta.tables.DeltaTable": "io.delta:delta-spark_2.12:3.3.3",
    "org.graphframes.GraphFrame": "io.graphframes:graphframes-spark3_2.12:0.10.0",
}
_JAVA = ("8", "11", "17")
_EXTENSION, _CATALOG = "DeltaSparkSessionExtension", "DeltaCatalog"
_SECRETS = ("secret", "password", "token", "access.key", "hmac", "pepper", "credential")


@dataclass(frozen=True)
class Check:
    """The result of a check: what was found and, if that is not ok, what to do.

    is_required: without it jobs fail; else they run, and something is the worse for it.
    """

    name: str
    ok: bool
    found: str
    advice: str = ""
    is_required: bool = True


def require(checks: Iterable[Check]) -> None:
    """Raise EnvironmentProblem, with what to do, where a required check is not ok."""
    advice = [check.advice for check in checks if check.is_required and not check.ok]
    if advice:
        raise EnvironmentProblem("; ".join(advice))


def quick(spark: SparkSession) -> list[Check]:
    """Return the checks that need no Spark job: versions and JARs; well under half a second."""
    packages = [_package(Requirement(need), module) for need, module in _PACKAGES.items()]
    jars = [_jvm_class(spark, name, coordinates) for name, coordinates in _CLASSES.items()]
    return [_python(), _java(spark), _spark(spark), *packages, *jars, *fixed_settings(spark)]


def fixed_settings(spark: SparkSession) -> list[Check]:
    """Return the checks of settings that only the start of Spark can make."""
    return [_setting(spark, key, needed) for key, needed in FIXED.items()]


def _setting(spark: SparkSession, key: str, needed: str) -> Check:
    found = str(spark.conf.get(key, None) or "not set")
    is_required = needed.endswith((_EXTENSION, _CATALOG))
    where = "spark-defaults.conf, a properties file or the cluster's Spark settings"
    advice = f"{key} is {found}: put `{key} {needed}` into {where}, and start Spark anew"
    return Check(key, _is_as_good(key, found, needed), found, advice, is_required)


def _is_as_good(key: str, found: str, needed: str) -> bool:
    """Whether a setting serves as the needed one does; Databricks is Delta without being told."""
    if needed.endswith(_EXTENSION):
        return needed in re.split(r"[,\s]+", found) or _is_databricks()
    if needed.endswith(_CATALOG):
        return found == needed or _is_databricks()
    if key == "spark.redaction.regex":
        return _hides_secrets(found)
    return found == needed


def _hides_secrets(pattern: str) -> bool:
    try:
        return all(re.search(pattern, f"spark.some.{name}") for name in _SECRETS)
    except re.error:  # Java's expressions know more than Python's
        return False


def _is_databricks() -> bool:
    return "DATABRICKS_RUNTIME_VERSION" in os.environ


def full(spark: SparkSession, *, folder: str | None = None) -> list[Check]:
    """Return the quick checks and those that run small Spark jobs, workers included.

    folder: where to try a Delta table; by default a temporary folder of this machine, which
    serves where the executors share its file system.
    """
    checks = quick(spark)
    if all(check.ok for check in checks if check.is_required):
        checks += [_delta_round_trip(spark, folder), _graphframes_call(spark), *_workers(spark)]
    return checks


def _python() -> Check:
    found = platform.python_version()
    ok = found.startswith("3.11.")
    return Check("Python", ok, found, f"Python is {found}: install Python 3.11 and run make setup")


def _java(spark: SparkSession) -> Check:
    found = str(_jvm(spark).java.lang.System.getProperty("java.specification.version"))
    ok = found.removeprefix("1.") in _JAVA
    return Check("Java", ok, found, f"Java is {found}: install Java 17, and point JAVA_HOME at it")


def _spark(spark: SparkSession) -> Check:
    """Check that Spark is 3.5, and that its Python half is of the same version."""
    ok = spark.version.startswith("3.5.") and pyspark.__version__ == spark.version
    found = f"{spark.version} with pyspark {pyspark.__version__}"
    return Check("Spark", ok, found, f"Spark is {found}: install pyspark==3.5.9 at both ends")


def _package(need: Requirement, module: str) -> Check:
    advice = f'pip install "{need}", or run make setup'
    try:
        found = version(need.name)
    except PackageNotFoundError:
        # A runtime such as Databricks' carries some modules without their package records.
        ok = find_spec(module) is not None
        found = "provided by the runtime" if ok else "not installed"
        return Check(need.name, ok, found, f"{need.name} is {found}: {advice}")
    ok = need.specifier.contains(found, prereleases=True)
    return Check(need.name, ok, found, f"{need.name} is {found}: {advice}")


def _jvm_class(spark: SparkSession, name: str, coordinates: str) -> Check:
    # The context loader is the one that sees JARs of --packages and --jars.
    loader = _jvm(spark).java.lang.Thread.currentThread().getContextClassLoader()
    try:
        loader.loadClass(name)
    except Exception:
        advice = f"no {name}: run make setup, or submit with --packages {coordinates}"
        return Check(f"JAR {coordinates}", False, "not on the class path", advice)
    return Check(f"JAR {coordinates}", True, "on the class path")


def _delta_round_trip(spark: SparkSession, folder: str | None) -> Check:
    def attempt() -> str:
        with tempfile.TemporaryDirectory() as scratch:
            path = f"{folder or scratch}/interest-graph-doctor"
            spark.range(3).write.format("delta").mode("overwrite").save(path)
            n_rows = spark.read.format("delta").load(path).count()
        return f"{n_rows} rows written and read"

    advice = "start Spark with the Delta extension and catalog, and a folder that workers share"
    return _attempted("Delta round trip", attempt, "3 rows written and read", advice)


def _graphframes_call(spark: SparkSession) -> Check:
    def attempt() -> str:
        # Here, so that a missing GraphFrames is a failed check and not a failed import.
        from interest_graph.graph.distributed_algorithms import components_of_two_edges

        return f"{components_of_two_edges(spark)} components of 2 edges"

    advice = "graphframes-py and the GraphFrames JAR must both be 0.10.0: run make setup"
    return _attempted("GraphFrames call", attempt, "2 components of 2 edges", advice)


def _workers(spark: SparkSession) -> list[Check]:
    """Look at one Python worker: Arrow, its Python, torch, and the GPU if there is one."""
    try:
        seen = spark.range(1).mapInPandas(
            _describe_worker, "python STRING, torch STRING, gpu STRING"
        )
        worker = seen.first() or Row(python="no row", torch="", gpu="")
    except Exception as error:
        advice = f"point PYSPARK_PYTHON at the environment of the lock: {_last_line(error)}"
        return [Check("Arrow in a worker", False, "failed", advice)]
    here = platform.python_version()
    python = (
        f"worker has Python {worker.python}, driver {here}: point PYSPARK_PYTHON at one of both"
    )
    torch = f"torch in a worker: {worker.torch}: pip install torch==2.15.0 on the workers"
    return [
        Check("Arrow in a worker", worker.python == here, f"Python {worker.python}", python),
        Check("torch in a worker", worker.torch[:1].isdigit(), worker.torch, torch),
        Check("GPU", True, worker.gpu),
    ]


def _describe_worker(batches: Iterable[pd.DataFrame]) -> Iterator[pd.DataFrame]:
    """Return one row: Python, torch (or why it cannot be imported) and GPU of this worker."""
    gpu = "none: one CPU thread a task"
    try:
        import torch

        found = str(torch.__version__)
        gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else gpu
    except Exception as error:
        found = repr(error)
    for _ in batches:
        yield pd.DataFrame({"python": [platform.python_version()], "torch": [found], "gpu": [gpu]})


def _attempted(name: str, attempt: Callable[[], str], expected: str, advice: str) -> Check:
    try:
        found = attempt()
    except Exception as error:
        return Check(name, False, "failed", f"{advice} ({_last_line(error)})")
    return Check(name, found == expected, found, advice)


def _last_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines or [type(error).__name__])[0][:200]


def _jvm(spark: SparkSession):  # type: ignore[no-untyped-def]
    return spark.sparkContext._jvm
