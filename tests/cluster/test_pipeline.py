"""The whole pipeline by spark-submit on a standalone cluster: planted communities come back."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
import yaml
from deltalake import DeltaTable

from interest_graph.registry import stages
from interest_graph.setup.cluster import start_cluster, stop_cluster

pytestmark = [pytest.mark.cluster, pytest.mark.slow]

ROOT = Path(__file__).parents[2]
SUBMIT = Path(sys.executable).with_name("spark-submit")
N_USERS, N_ITEMS = 60, 24  # half of each in either community


def write_logs(folder: Path) -> None:
    """Write clicks of two communities of users, each on two thirds of its own items."""
    clicks = [
        (f"user{user}", f"item{item}", "click", f"2024-01-{1 + (user + item) % 28:02d} 12:00:00")
        for user in range(N_USERS)
        for item in range(N_ITEMS)
        if item % 2 == user % 2 and (item // 2 + user // 2) % 3
    ]
    columns = ["who", "what", "did", "at"]
    pd.DataFrame(clicks, columns=columns).to_csv(folder / "clicks.csv", index=False)
    topics = ["harbour", "orchard"]
    items = [(f"item{i}", f"{topics[i % 2]} {i}", topics[i % 2]) for i in range(N_ITEMS)]
    columns = ["what", "name", "tags"]
    pd.DataFrame(items, columns=columns).to_csv(folder / "items.csv", index=False)


def write_settings(folder: Path) -> Path:
    """Write a pipeline's YAML on those logs: small vectors, few rounds, two shards."""
    events = {"user_id": "who", "item_id": "what", "action": "did", "event_time": "at"}
    items = {"item_id": "what", "title": "name", "categories": "tags"}
    tree = {
        "as_of": "2024-02-01T00:00:00Z",
        "warehouse": {"table_root": str(folder / "warehouse")},
        "sources": [
            {"name": "clicks", "path": str(folder / "clicks.csv"), "columns": events},
            {
                "name": "things",
                "kind": "items",
                "path": str(folder / "items.csv"),
                "columns": items,
            },
        ],
        "train": {"model": "lightgcn", "dimension": 8, "max_rounds": 3, "n_shards": 2},
        "evaluate": {"splits": [{"kind": "random"}], "k": [5], "baselines": ["popularity"]},
    }
    path = folder / "pipeline.yaml"
    path.write_text(yaml.safe_dump(tree), encoding="utf-8")
    return path


def submit(properties: Path, library_zip: Path, pipeline: str, *arguments: str | Path) -> None:
    """Run a job's file by spark-submit; fail with the end of its output."""
    options = ["--properties-file", properties, "--py-files", library_zip]
    command = [SUBMIT, *options, ROOT / "jobs" / f"{pipeline}.py", *arguments]
    environment = {**os.environ, "PYSPARK_PYTHON": sys.executable, "SPARK_LOCAL_IP": "127.0.0.1"}
    done = subprocess.run(
        list(map(str, command)), capture_output=True, text=True, env=environment, timeout=1500
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, library_zip: Path) -> Iterator[Path]:
    """A folder with logs and the tables that the pipeline made of them; the cluster still runs."""
    folder, state = tmp_path_factory.mktemp("pipeline"), tmp_path_factory.mktemp("cluster")
    write_logs(folder)
    settings = ROOT / "conf" / "spark" / "standalone.conf"
    cluster = start_cluster(state, n_workers=2, settings=settings)
    try:
        submit(cluster.properties, library_zip, "run_all", "--config", write_settings(folder))
        yield folder / "warehouse"
    finally:
        stop_cluster(state)


def table(warehouse: Path, name: str) -> pd.DataFrame:
    """Read a table without Spark."""
    return DeltaTable(str(warehouse / name)).to_pandas()


@pytest.mark.timeout(2400)
def test_every_job_succeeded_once(finished: Path) -> None:
    runs = table(finished, "ops/runs").sort_values("started_ts")

    assert list(runs["job"]) == [job.name for job in stages()]
    assert set(runs["status"]) == {"succeeded"}


def test_users_get_what_their_own_community_likes(finished: Path) -> None:
    best = table(finished, "gold/recommendations").query("rank <= 3")
    community = best[["user_id", "item_id"]].apply(lambda ids: ids.str.extract(r"(\d+)")[0])
    same = community["user_id"].astype(int) % 2 == community["item_id"].astype(int) % 2

    assert best["user_id"].nunique() == N_USERS
    assert same.mean() > 0.9


def test_nothing_seen_is_recommended(finished: Path) -> None:
    seen = pd.read_csv(finished.parent / "clicks.csv")
    best = table(finished, "gold/recommendations")

    assert not set(zip(best["user_id"], best["item_id"], strict=True)) & set(
        zip(seen["who"], seen["what"], strict=True)
    )


def test_report_is_written(finished: Path) -> None:
    assert "<html" in (finished / "report.html").read_text(encoding="utf-8")[:2000].lower()
