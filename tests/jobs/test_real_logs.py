"""Public logs through ingest and clean by their YAML alone; counts checked on the raw files.

The data is not part of the project: INTEREST_GRAPH_DATA names the folder (default: data/).
"""

from __future__ import annotations

import gzip
import os
import re
from collections.abc import Callable
from datetime import UTC
from pathlib import Path

import pandas as pd
import pytest
import yaml
from crawleruseragents import is_crawler

from interest_graph import tables
from interest_graph.config import Settings
from interest_graph.jobs.clean import JOB as CLEAN
from interest_graph.jobs.ingest import JOB as INGEST
from interest_graph.pipeline import Pipeline

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("INTEREST_GRAPH_DATA", ROOT / "data"))

MAX_ID_LENGTH = 512  # one request's path is longer

pytestmark = pytest.mark.slow


def table(path: str, **options: object) -> pd.DataFrame:
    return pd.read_csv(DATA / path, dtype=str, **options)  # type: ignore[call-overload]


def n_distinct(*columns: str) -> Callable[[pd.DataFrame], int]:
    return lambda frame: len(frame.drop_duplicates(list(columns) or None))


def movielens() -> tuple[int, int, int]:
    ratings = table("movielens-100k/u.data.gz", sep="\t", header=None)
    return len(ratings), 0, n_distinct()(ratings)


def ml_latest() -> tuple[int, int, int]:
    ratings, tags = (table(f"ml-latest-small/{name}.csv.gz") for name in ("ratings", "tags"))
    kept = n_distinct("userId", "movieId", "timestamp")
    return len(ratings) + len(tags), 0, kept(ratings) + kept(tags)


def retailrocket() -> tuple[int, int, int]:
    events = table("retailrocket-events/events.csv.gz")
    return len(events), 0, n_distinct()(events)


def taobao() -> tuple[int, int, int]:
    names = ["user", "item", "category", "act", "time"]
    events = table("taobao-userbehavior/UserBehavior.csv.gz", header=None, names=names)
    whole = events[events["time"].str.len() == 10]
    return len(events), len(events) - len(whole), n_distinct("user", "item", "act", "time")(whole)


def lastfm_hetrec() -> tuple[int, int, int]:
    plays = table("lastfm-hetrec/user_artists.dat.gz", sep="\t")
    return len(plays), 0, n_distinct("userID", "artistID")(plays)


def lastfm_lightgcn() -> tuple[int, int, int]:
    parts = [
        table(f"lastfm-lightgcn/{name}.txt.gz", sep="\t", header=None)
        for name in ("data1", "test1")
    ]
    kept = [n_distinct(0, 1)(part) for part in parts]  # type: ignore[arg-type]
    return sum(map(len, parts)), 0, sum(kept)


def lines_of(path: str) -> list[str]:
    return gzip.decompress((DATA / path).read_bytes()).decode().splitlines()


def gowalla() -> tuple[int, int, int]:
    parts = [lines_of(f"gowalla-lightgcn/{name}.txt.gz") for name in ("train", "test")]
    places = [line.split()[1:] for part in parts for line in part]
    return sum(map(len, places)), 0, sum(len(set(listed)) for listed in places)


def weblog() -> tuple[int, int, int]:
    pattern = re.compile(r'(\S+) \S+ \S+ \[(.*?)\] "\S+ (\S+)[^"]*" \d+ \S+ "[^"]*" "(.*)"$')
    lines = lines_of("weblog-apache/apache_logs.gz")
    found = [match.groups() for match in map(pattern.match, lines) if match]
    whole = [groups for groups in found if len(groups[2]) <= MAX_ID_LENGTH]
    people = {groups[:3] for groups in whole if not is_crawler(groups[3])}
    return len(lines), len(lines) - len(whole), len(people)


EXPECTED = {
    "movielens-100k": movielens,
    "ml-latest-small": ml_latest,
    "retailrocket": retailrocket,
    "taobao": taobao,
    "lastfm-hetrec": lastfm_hetrec,
    "lastfm-lightgcn": lastfm_lightgcn,
    "gowalla": gowalla,
    "weblog": weblog,
}
FOLDERS = {"retailrocket": "retailrocket-events", "taobao": "taobao-userbehavior"}
FOLDERS |= {"gowalla": "gowalla-lightgcn", "weblog": "weblog-apache"}


@pytest.mark.parametrize("name", EXPECTED)
def test_a_public_log_goes_through_by_its_yaml(spark, warehouse, name):
    if not (DATA / FOLDERS.get(name, name)).exists():
        pytest.skip(f"no data at {DATA / FOLDERS.get(name, name)}")
    pipeline = open_on(spark, name, warehouse)

    pipeline.run(INGEST)
    pipeline.run(CLEAN)

    rows = pipeline.rows
    dropped = sum(n for reason, n in rows.items() if reason.startswith("dropped."))
    assert rows["rows_in"] == rows["kept"] + dropped + rows["quarantined"]
    n_bots = sum(n for reason, n in rows.items() if reason in BOT_DROPS)
    assert (rows["rows_in"], rows["quarantined"], rows["kept"] + n_bots) == EXPECTED[name]()
    assert pipeline.store.read(tables.INTERACTIONS).count() == rows["kept"]


# Crawlers are dropped before duplicates are; the other bots after.
BOT_DROPS = {f"dropped.{rule}" for rule in ("events_per_minute", "events_per_day", "items_per_day")}
BOT_DROPS |= {"dropped.active_hours", "dropped.steady_gaps"}


def open_on(spark, name: str, warehouse: Path) -> Pipeline:
    """A job by conf/<name>.yaml with the data where it lies."""
    text = (ROOT / f"conf/{name}.yaml").read_text().replace("path: data/", f"path: {DATA}/")
    tree = yaml.safe_load(text)
    tree["warehouse"] = {"table_root": str(warehouse)}
    settings = Settings.model_validate(tree)
    assert settings.as_of is not None
    return Pipeline(settings, spark, settings.as_of.astimezone(UTC))
