"""One local Spark session for the whole run, small and quiet."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest

# A test that shares its cores with others must not fail for want of time.
hypothesis.settings.register_profile("shared machine", deadline=None)
hypothesis.settings.load_profile("shared machine")
# Workers otherwise take python3 from PATH; the address keeps executors off the network.
os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
# Every JVM that a test starts has a small heap and a short life: G1's threads would take a sixth
# of the processor, the optimising compiler (C2) a seventh.
os.environ.setdefault("JAVA_TOOL_OPTIONS", "-XX:+UseSerialGC -XX:TieredStopAtLevel=1")

TEST_SETTINGS = {
    # Compiling a plan costs more than a few hundred rows repay; submitted jobs compile theirs.
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    "spark.master": "local[2]",
    "spark.driver.memory": "1500m",
    "spark.sql.shuffle.partitions": "2",
    "spark.default.parallelism": "2",
    "spark.databricks.delta.snapshotPartitions": "1",  # default 50 tasks per snapshot
    "spark.databricks.delta.log.cacheSize": "3",
    "spark.sql.sources.parallelPartitionDiscovery.parallelism": "2",
    "spark.python.worker.faulthandler.enabled": "true",
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Slow files first: side by side, none of them is left to run alone at the end."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A session as a job opens it, with two shuffle partitions."""
    from interest_graph.session import open_session

    folder = tmp_path_factory.mktemp("spark")
    settings = {**TEST_SETTINGS, "spark.local.dir": str(folder / "local")}
    session = open_session("tests", checkpoint_root=str(folder / "checkpoints"), settings=settings)
    yield session
    session.stop()


@pytest.fixture
def warehouse(tmp_path: Path) -> Path:
    """An empty folder for tables."""
    return tmp_path / "warehouse"


@pytest.fixture
def remote(spark: Any, tmp_path: Path) -> str:
    """The URL of a folder that Hadoop alone can reach: as on HDFS, which has the same calls."""
    name = tmp_path.parent.name.replace("_", "-") + tmp_path.name.replace("_", "-")
    (tmp_path / "remote").mkdir()
    mount = f"fs.viewfs.mounttable.{name}.link./lake"
    spark._jsc.hadoopConfiguration().set(mount, f"file://{tmp_path}/remote")
    return f"viewfs://{name}/lake"


@pytest.fixture
def open_pipeline(spark: Any, warehouse: Path) -> Callable[..., Any]:
    """Opens a job on the temporary warehouse: open_job(graph={...}, as_of=...)."""
    from datetime import UTC, datetime

    from interest_graph.config import Settings
    from interest_graph.pipeline import Pipeline

    def make(as_of: datetime = datetime(2024, 1, 31, tzinfo=UTC), **sections: Any) -> Pipeline:
        tree = {"warehouse": {"table_root": str(warehouse)}, **sections}
        return Pipeline(Settings.model_validate(tree), spark, as_of)

    return make


@pytest.fixture(scope="session")
def library_zip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The zip for spark-submit --py-files, made as `make package` makes it."""
    folder = tmp_path_factory.mktemp("dist")
    root = Path(__file__).parents[1]
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    command = [sys.executable, "-m", "pip", "wheel", *options, "--wheel-dir", folder, root]
    subprocess.run(command, check=True, capture_output=True)
    (wheel,) = folder.glob("interest_graph-*.whl")
    return wheel.rename(folder / "interest_graph.zip")
