"""The shipped properties files: known settings with their reasons, and nothing left open."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from interest_graph.session import read_properties

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "conf" / "spark"
FILES = sorted(FOLDER.glob("*.conf"))
each_file = pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
# Families of settings and old ones, which Spark reads without having them in its register.
UNREGISTERED = (
    r"spark\.(master|(executor|task)\.resource\.gpu\..*|executorEnv\..*|yarn\.appMasterEnv\..*"
    r"|hadoop\..*)"
)
REGISTERS = [
    "org.apache.spark.internal.config.package$",
    "org.apache.spark.internal.config.Network$",
    "org.apache.spark.internal.config.Python$",
    "org.apache.spark.internal.config.UI$",
    "org.apache.spark.deploy.k8s.Config$",
    "org.apache.spark.deploy.yarn.config.package$",
    "org.apache.spark.sql.delta.sources.DeltaSQLConf$",
]


def test_there_is_one_for_each_place() -> None:
    names = {path.stem for path in FILES}

    assert names == {"local", "standalone", "yarn", "kubernetes", "gpu", "s3"}


@each_file
def test_every_setting_is_one_that_spark_knows(path: Path, spark: SparkSession) -> None:
    jvm = spark.sparkContext._jvm
    for register in REGISTERS:  # a register is filled when its class is loaded
        jvm.java.lang.Class.forName(register)
    find = jvm.org.apache.spark.internal.config.ConfigEntry.findEntry
    named = [key for key in read_properties(path) if not re.fullmatch(UNREGISTERED, key)]

    assert [key for key in named if find(key) is None] == []


def test_every_setting_for_s3_is_one_that_its_client_knows(spark: SparkSession) -> None:
    jvm = spark.sparkContext._jvm
    fields = jvm.java.lang.Class.forName("org.apache.hadoop.fs.s3a.Constants").getFields()
    known = {f"spark.hadoop.{field.get(None)}" for field in fields}

    assert set(read_properties(FOLDER / "s3.conf")) <= known


@each_file
def test_every_setting_says_why(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    settings = [(above, line) for above, line in pairwise(lines) if line.startswith("spark.")]

    assert settings
    assert [line for above, line in settings if not above.startswith("# ")] == []


@pytest.mark.parametrize("name", ["standalone", "yarn", "kubernetes"])
def test_clusters_authenticate_and_encrypt(name: str) -> None:
    settings = read_properties(FOLDER / f"{name}.conf")

    assert settings["spark.authenticate"] == "true"
    assert settings["spark.network.crypto.enabled"] == "true"
    assert settings["spark.io.encryption.enabled"] == "true"


@pytest.mark.parametrize("name", ["local", "standalone", "kubernetes"])
def test_ui_is_off(name: str) -> None:
    assert read_properties(FOLDER / f"{name}.conf")["spark.ui.enabled"] == "false"


@each_file
def test_no_secret_is_shipped(path: Path) -> None:
    assert [key for key in read_properties(path) if re.search("secret|password|token", key)] == []


def executable(path: Path, text: str) -> Path:
    """Write a shell script."""
    path.write_text(f"#!/usr/bin/env bash\n{text}\n")
    path.chmod(0o755)
    return path


def test_discovery_script_lists_what_the_driver_lists(tmp_path: Path) -> None:
    executable(tmp_path / "nvidia-smi", "printf '0\\n1\\n'")
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}

    done = subprocess.run(
        [FOLDER / "find-gpus.sh"], capture_output=True, check=True, env=environment
    )

    assert json.loads(done.stdout) == {"name": "gpu", "addresses": ["0", "1"]}


def test_discovery_script_lists_the_parts_of_split_gpus(tmp_path: Path) -> None:
    listed = "GPU 0: H100 (UUID: GPU-1)\\n  MIG 1g.10gb Device 0: (UUID: MIG-2)\\n"
    listed += "  MIG 1g.10gb Device 1: (UUID: MIG-3)\\n"
    executable(tmp_path / "nvidia-smi", f"[[ $1 == -L ]] && printf '{listed}'")
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}

    done = subprocess.run(
        [FOLDER / "find-gpus.sh"], capture_output=True, check=True, env=environment
    )

    assert json.loads(done.stdout) == {"name": "gpu", "addresses": ["MIG-2", "MIG-3"]}


@pytest.mark.parametrize("place", ["standalone", "yarn", "kubernetes"])
def test_gpus_on_top_of_a_cluster_keep_its_safety(tmp_path: Path, place: str) -> None:
    both = tmp_path / "both.conf"
    both.write_text("".join((FOLDER / f"{name}.conf").read_text() for name in (place, "gpu")))

    settings = read_properties(both)

    assert settings["spark.authenticate"] == "true"
    assert settings["spark.network.crypto.enabled"] == "true"
    cores, share = (
        settings[f"spark.{key}"] for key in ("executor.cores", "task.resource.gpu.amount")
    )
    assert int(cores) * float(share) == 1.0


GPU_JOB = """
import sys
from pyspark import SparkConf, TaskContext
from pyspark.sql import SparkSession
from tests.train.small_run import fit_small
from interest_graph.errors import TrainingError

settings = dict(line.split(" ", 1) for line in sys.stdin.read().splitlines())
conf = SparkConf().setMaster("local-cluster[1,1,1024]").setAll(settings.items())
spark = SparkSession.builder.config(conf=conf).getOrCreate()

def addresses(batches):
    for batch in batches:
        batch["id"] = TaskContext.get().resources()["gpu"].addresses[0]
        yield batch

rows = spark.range(2).repartition(1).mapInPandas(addresses, "id STRING").collect()
print("addresses", sorted({row.id for row in rows}))
try:
    fit_small(spark, sys.argv[1])
except TrainingError as error:
    print("training", error)
spark.stop()
"""


@pytest.mark.slow
@pytest.mark.cluster
def test_tasks_and_shards_get_the_gpu_that_the_script_finds(tmp_path: Path) -> None:
    script = executable(tmp_path / "gpus", 'echo \'{"name": "gpu", "addresses": ["3"]}\'')
    settings = read_properties(FOLDER / "gpu.conf") | {
        "spark.executor.resource.gpu.discoveryScript": str(script),
        "spark.ui.enabled": "false",
        "spark.executor.cores": "1",  # as many as the cluster of this test has
        "spark.sql.shuffle.partitions": "2",
        "spark.executor.memory": "512m",
        "spark.executor.memoryOverhead": "384m",
        # What a standalone worker offers; on other clusters the manager knows.
        "spark.worker.resource.gpu.amount": "1",
        "spark.worker.resource.gpu.discoveryScript": str(script),
    }
    loopback = {"SPARK_LOCAL_IP": "127.0.0.1", "SPARK_LOCAL_HOSTNAME": "localhost"}
    done = subprocess.run(
        [sys.executable, "-c", GPU_JOB, str(tmp_path / "run")],
        input="\n".join(f"{key} {value}" for key, value in settings.items()),
        capture_output=True,
        text=True,
        timeout=240,
        env={**os.environ, **loopback, "PYSPARK_PYTHON": sys.executable, "PYTHONPATH": str(ROOT)},
    )

    assert "addresses ['3']" in done.stdout, done.stderr[-2000:]
    # Torch finds no such GPU here, so that the first shard of the first round ends with one line.
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("training")]
    assert re.match(r"training shard [01]: Spark assigned cuda:3 to the task, but torch", line)
