"""Every job on a warehouse at s3a://: killed, resumed, up to date, tuned, maintained and read."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import duckdb
import duckdb_extension_delta
import pytest
import yaml
from deltalake import DeltaTable
from tests.s3.conftest import BUCKET, VENV

from interest_graph import tables
from interest_graph.config import SourceConfig
from interest_graph.errors import ConfigError, DataError
from interest_graph.events.inspection import list_files
from interest_graph.filesystem import FileSystem, work_folder
from interest_graph.jobs import tune
from interest_graph.pipeline import Pipeline
from interest_graph.registry import stages
from interest_graph.table_root import prepare_root
from interest_graph.train.distributed.checkpoint import Checkpoints

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

ROOT = f"s3a://{BUCKET}/warehouse"
N_USERS, N_ITEMS, N_ROUNDS = 40, 20, 4
# Jobs that keep a ledger of their own, and find there that nothing is new.
ALWAYS = [job.name for job in stages() if job.always]
SPACE = {"train.item_knn.neighbours": {"kind": "int", "low": 1, "high": 8}}


def clicks() -> str:
    """CSV of two communities, each with its own items."""
    rows = [
        f"user{user},item{item},2024-01-{1 + user % 3:02d} 12:00:{item:02d}"
        for user in range(N_USERS)
        for item in range(N_ITEMS)
        if item % 2 == user % 2 and (item // 2 + user // 2) % 3
    ]
    return "\n".join(["who,what,at", *rows])


def items() -> str:
    """CSV of the items' titles and tags."""
    kinds = ["harbour", "orchard"]
    rows = [f"item{i},{kinds[i % 2]} {i},{kinds[i % 2]}" for i in range(N_ITEMS)]
    return "\n".join(["what,name,tags", *rows])


def write_settings(folder: Path) -> Path:
    """A pipeline with LightGCN and the default baselines; small vectors, few rounds."""
    events = {"user_id": "who", "item_id": "what", "event_time": "at"}
    things = {"item_id": "what", "title": "name", "categories": "tags"}
    raw = f"s3a://{BUCKET}/raw/2024"
    tree = {
        "as_of": "2024-02-01T00:00:00Z",
        "warehouse": {"table_root": ROOT},
        "sources": [
            {"name": "a", "path": f"{raw}/clicks*.csv", "columns": events, "action": "click"},
            {"name": "b", "kind": "items", "path": f"{raw}/items.csv", "columns": things},
        ],
        "train": {
            "model": "lightgcn",
            "dimension": 8,
            "max_rounds": N_ROUNDS,
            "patience": N_ROUNDS,
            "exchange": "rounds",  # each of them is stored, so that a kill finds one
        },
        "evaluate": {"splits": [{"kind": "random"}], "k": [5]},
        "tune": {"model": "item_knn", "n_trials": 2, "space": SPACE},
        "report": {"path": f"s3a://{BUCKET}/pages/report.html"},
        "generate": {"path": f"s3a://{BUCKET}/made", "events": 60, "users": 10, "days": 1},
        "maintain": {"retention_hours": 0, "allow_short_retention": True},
    }
    path = folder / "pipeline.yaml"
    path.write_text(yaml.safe_dump(tree), encoding="utf-8")
    return path


def write_properties(folder: Path, settings: dict[str, str]) -> Path:
    """Spark's settings of a process of its own."""
    spark = {
        "spark.master": "local[2]",
        "spark.driver.memory": "1500m",
        "spark.sql.shuffle.partitions": "2",
        "spark.sql.codegen.wholeStage": "false",
        "spark.databricks.delta.snapshotPartitions": "1",
        "spark.local.dir": f"{folder}/local",
        **{f"spark.hadoop.{key}": value for key, value in settings.items()},
    }
    path = folder / "s3.conf"
    path.write_text("\n".join(f"{key} {value}" for key, value in spark.items()))
    return path


def last_round(server) -> int:
    """The last finished round of the training that goes on; -1 before the first."""
    keys = [key for key in server.keys("warehouse/_training/") if key.endswith("progress.json")]
    progress = server.get(keys[0]) if keys else b""
    return json.loads(progress)["last"] if progress else -1


def run_until_killed(server, config: Path, properties: Path) -> int:
    """Run everything in a process of its own, and kill it in training; its last round."""
    command = [Path(sys.executable).with_name("interest-graph"), "run-all"]
    options = ["--config", config, "--properties-file", properties]
    log = config.with_name("run.log")
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*command, *options],
            cwd=config.parent,
            stdout=output,
            stderr=output,
            env={**os.environ, "PYSPARK_PYTHON": sys.executable},
            start_new_session=True,
        )
    try:
        deadline = time.monotonic() + 600
        while last_round(server) < 1:
            assert process.poll() is None, log.read_text()[-2000:]
            assert time.monotonic() < deadline, log.read_text()[-2000:]
            time.sleep(0.5)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # Spark's JVM and Python workers too
        process.wait()
    return last_round(server)


@pytest.fixture(scope="module")
def lake(server, s3, tmp_path_factory):
    """A warehouse that a process was killed over, and this one finished.

    reached: the last round before the kill; rounds: those trained since; ran: the jobs that ran.
    """
    folder = tmp_path_factory.mktemp("lake")
    for name, text in (("clicks 1", clicks()), ("items", items())):
        server.call("PUT", f"{BUCKET}/raw/2024/{name.replace(' ', '%20')}.csv", text.encode())
    config, properties = write_settings(folder), write_properties(folder, server.settings)
    reached, rounds = run_until_killed(server, config, properties), []
    commit = Checkpoints.commit

    def noted(self, items, progress):
        if "evaluate" not in self.folder.path(""):
            rounds.append(progress["last"])
        commit(self, items, progress)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Checkpoints, "commit", noted)
        patch.chdir(folder)
        pipeline = Pipeline.open(config)
        ran = pipeline.run_all()
    found = {"reached": reached, "rounds": rounds, "ran": ran, "folder": folder}
    return SimpleNamespace(config=config, pipeline=pipeline, **found)


def test_a_killed_training_goes_on_at_its_last_round(lake):
    assert 1 <= lake.reached < N_ROUNDS
    assert lake.rounds == list(range(lake.reached + 1, N_ROUNDS + 1))
    assert lake.ran == [*ALWAYS, "train", "recommend", "evaluate", "report"]


def test_users_get_what_their_own_community_likes(lake):
    best = lake.pipeline.read("gold.recommendations").where("rank <= 2").collect()
    same = [int(row.user_id[4:]) % 2 == int(row.item_id[4:]) % 2 for row in best]

    assert len({row.user_id for row in best}) == N_USERS
    assert sum(same) > 0.9 * len(same)


def test_the_default_baselines_are_measured(lake):
    models = {row.model for row in lake.pipeline.read("gold.metrics").collect()}

    assert models == {"lightgcn", "popularity", "item_knn", "als"}


def test_after_maintenance_all_is_up_to_date(lake):
    lake.pipeline.run("maintain")

    assert lake.pipeline.rows["ops.runs.files_removed"] > 1
    assert lake.pipeline.run_all() == ALWAYS


def test_the_report_is_written_to_its_url(lake, server):
    assert "<html" in server.get("pages/report.html").decode()[:2000].lower()


def test_a_log_is_made_at_a_url(lake, server):
    lake.pipeline.run("generate")

    assert [key for key in server.keys("made/events/") if key.endswith(".txt")]
    assert [key for key in server.keys("made/items/") if key.endswith(".csv")]


def test_nothing_but_tables_stays_under_the_root(lake, server):
    found = FileSystem(lake.pipeline.spark).names(ROOT)
    schemas = {name.split(".")[0] for name in tables.ALL_TABLES}
    assert set(found) - schemas <= {"_checkpoints", "_training"}
    assert server.keys("warehouse/_training/") in ([], ["warehouse/_training/"])


def test_no_file_is_left_on_this_machine(lake):
    left = {path.name for path in lake.folder.iterdir()}

    assert left - {"local", "spark-warehouse"} == {"pipeline.yaml", "s3.conf", "run.log"}
    assert not list(work_folder(lake.pipeline.spark).glob("*/round-*"))


def test_delta_rs_reads_gold(lake, server):
    options = {
        "AWS_ENDPOINT_URL": server.url,
        "AWS_ALLOW_HTTP": "true",
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "text",
        "AWS_REGION": "us-east-1",
    }
    url = f"s3://{BUCKET}/warehouse/gold/recommendations"

    rows = DeltaTable(url, storage_options=options).to_pyarrow_table()

    assert rows.num_rows == lake.pipeline.read("gold.recommendations").count()


def test_duckdb_reads_gold(lake, server):
    duck = duckdb.connect(config={"allow_unsigned_extensions": "true"})
    for folder in (VENV, Path(duckdb_extension_delta.__file__).parent):
        (extension,) = folder.rglob("*.duckdb_extension")
        duck.execute(f"LOAD '{extension}'")
    duck.execute(
        "CREATE SECRET (TYPE s3, KEY_ID 'key', SECRET 'text', REGION 'us-east-1', "
        f"ENDPOINT '{server.url.removeprefix('http://')}', URL_STYLE 'path', USE_SSL false)"
    )
    query = f"SELECT count(*) FROM delta_scan('s3://{BUCKET}/warehouse/gold/recommendations')"

    (found,) = duck.execute(query).fetchone()

    assert found == lake.pipeline.read("gold.recommendations").count()


def test_a_killed_study_goes_on(lake, server, monkeypatch):
    make, endings = tune.make_model, [KeyboardInterrupt()]

    def killed_first(*given: Any) -> Any:
        if endings:
            raise endings.pop()
        return make(*given)

    monkeypatch.setattr(tune, "make_model", killed_first)
    with pytest.raises(KeyboardInterrupt):
        lake.pipeline.run("tune")
    lake.pipeline.run("tune")

    trials = lake.pipeline.read("model.trials").orderBy("trial").collect()
    assert [trial.state for trial in trials] == ["interrupted", "complete", "complete"]
    assert trials[0].settings == trials[1].settings
    (best,) = [key for key in server.keys("warehouse/_tuning/") if key.endswith("best.yaml")]
    assert yaml.safe_load(server.get(best))["train"]["model"] == "item_knn"


def test_the_default_model_is_trained(lake):
    sources = "train.auto.sources=[chebyshev, local_ease, lightgcn]"
    overrides = ["train.model=auto", sources, "train.max_rounds=1"]
    pipeline = Pipeline.open(lake.config, overrides=overrides)

    pipeline.run("train")

    trained = {row.model: row.n_rounds for row in pipeline.read("model.runs").collect()}
    assert trained.keys() == {"lightgcn", "auto"}


def refused(spark, root: str) -> str:
    """The one line that says what is wrong with a root; quickly."""
    started = time.monotonic()
    with pytest.raises(ConfigError) as raised:
        prepare_root(spark, root)
    assert time.monotonic() - started < 45
    (line,) = str(raised.value).splitlines()
    return line


def test_a_bucket_that_does_not_exist_is_one_line(s3, server):
    line = refused(s3, "s3a://nobody/w")

    assert line.startswith("warehouse.table_root: s3a://nobody/w cannot be written: there is no")


def test_a_wrong_key_is_one_line(s3, server):
    server.call("POST", "moto-api/reset-auth", b"0")  # from now on keys are looked at
    try:
        line = refused(s3, "s3a://lake/w")
    finally:
        server.call("POST", "moto-api/reset-auth", b"inf")

    assert line.startswith("warehouse.table_root: s3a://lake/w cannot be written: access is denied")


def test_a_store_that_does_not_answer_is_one_line(s3):
    conf = s3._jsc.hadoopConfiguration()
    conf.set("fs.s3a.bucket.silent.endpoint", "http://127.0.0.1:9")

    assert "the store does not answer: check the endpoint" in refused(s3, "s3a://silent/w")


def test_a_source_in_no_bucket_is_one_line(s3):
    columns = {"item_id": "i"}
    source = SourceConfig(name="b", kind="items", path="s3a://nobody/*.csv", columns=columns)

    with pytest.raises(DataError, match=r"^source b: s3a://nobody/\*.csv cannot be listed \("):
        list_files(s3, source)
