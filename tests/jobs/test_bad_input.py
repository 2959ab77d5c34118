"""Ten kinds of bad input and configuration: one clear line each, or rows with a reason."""

from __future__ import annotations

import gzip
import os

import pytest

from interest_graph import tables
from interest_graph.config import load_settings
from interest_graph.errors import ConfigError, DataError, one_line
from interest_graph.jobs.clean import JOB as CLEAN
from interest_graph.jobs.ingest import JOB as INGEST
from interest_graph.pipeline import Pipeline

SOURCE = {
    "name": "log",
    "columns": {
        "user_id": "user",
        "item_id": "item",
        "action": "act",
        "event_time": "time",
        "value": "n",
    },
    "actions": {"view": "view"},
    "time": {"format": "epoch_s"},
}
HEADER = "user,item,act,time,n\n"


@pytest.fixture
def ingest_and_clean(open_pipeline, tmp_path):
    """ingest_and_clean(content): ingests and cleans one file; returns the pipeline."""

    def run(content, *, name="log.csv", present=True):
        if present:
            (tmp_path / name).write_bytes(
                content if isinstance(content, bytes) else content.encode()
            )
        pipeline = open_pipeline(sources=[{**SOURCE, "path": str(tmp_path / name)}])
        pipeline.run(INGEST)
        pipeline.run(CLEAN)
        return pipeline

    return run


def refused_line(pipeline, ingest_and_clean, *arguments, **settings):
    """The one line of the DataError that stops the pipeline before any table of data exists."""
    with pytest.raises(DataError) as caught:
        ingest_and_clean(*arguments, **settings)
    assert not any(pipeline.store.exists(table) for table in (tables.EVENTS, tables.INTERACTIONS))
    line = one_line(caught.value)
    assert "\n" not in line
    return line


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            "user,item,act,n\nu,i,view,1\n",
            "log.csv has no column time; present: user, item, act, n",
        ),
        (
            "user;item;act;time;n\nu;i;view;1;1\n",
            "present: user;item;act;time;n; is the delimiter right?",
        ),
    ],
    ids=["missing column", "wrong delimiter"],
)
def test_an_unfit_header_stops_the_job(open_pipeline, ingest_and_clean, content, said):
    assert said in refused_line(open_pipeline(), ingest_and_clean, content)


def test_a_missing_path_stops_the_job(open_pipeline, ingest_and_clean):
    line = refused_line(open_pipeline(), ingest_and_clean, "", name="absent.csv", present=False)

    assert line.startswith("source log: no file at ")


def test_a_corrupted_gzip_is_named_and_a_mended_one_is_taken_in(open_pipeline, ingest_and_clean):
    whole = gzip.compress((HEADER + "u,i,view,1700000000,1\n" * 200_000).encode())
    pipeline = open_pipeline()
    with pytest.raises(DataError, match=r"log\.csv\.gz is damaged \(it ends too early"):
        ingest_and_clean(whole[: len(whole) // 2], name="log.csv.gz")
    assert pipeline.store.read(tables.EVENTS).isEmpty()

    mended = ingest_and_clean(
        gzip.compress((HEADER + "u,i,view,1700000000,1\n").encode()), name="log.csv.gz"
    )

    assert mended.rows["kept"] == 1


def test_an_empty_file_is_counted_and_holds_nothing(ingest_and_clean):
    with pytest.raises(DataError, match="no record has been taken in"):
        ingest_and_clean("")


def test_bad_rows_are_quarantined_with_their_reasons(ingest_and_clean):
    rows = {
        "u,i,view,1700000000,1": None,
        "u,i,zap,1700000000,1": ["unknown_action"],
        "u,i,view,1900000000,1": ["future_time"],
        "u,i,view,1700000001,-3": ["negative_value"],
        "u,,zap,x,many": ["missing_item_id", "unknown_action", "bad_time", "bad_value"],
        "u,i,view": ["unreadable"],
    }

    pipeline = ingest_and_clean(HEADER + "\n".join(rows) + "\n")

    refused = pipeline.store.read(tables.QUARANTINE).orderBy("position").collect()
    assert [row.reasons for row in refused] == [reasons for reasons in rows.values() if reasons]
    assert (
        pipeline.rows["rows_in"],
        pipeline.rows["kept"],
        pipeline.rows["quarantined"],
    ) == (
        6,
        1,
        5,
    )
    assert (
        pipeline.rows["reason.unknown_action"],
        pipeline.rows["reason.bad_time"],
    ) == (2, 1)


def test_a_wrong_yaml_key_is_named_with_what_is_allowed(tmp_path):
    (tmp_path / "p.yaml").write_text("clean: {sesion_gap_minutes: 3}")

    with pytest.raises(
        ConfigError, match=r"clean.sesion_gap_minutes: unknown.*session_gap_minutes"
    ):
        load_settings(tmp_path / "p.yaml")


@pytest.mark.parametrize("root", ["/proc/nowhere", "file"])
def test_an_unwritable_warehouse_stops_the_job_before_spark(tmp_path, root):
    (tmp_path / "file").write_text("not a folder")
    path = root if os.path.isabs(root) else tmp_path / root
    (tmp_path / "p.yaml").write_text(f"warehouse: {{table_root: {path}}}")

    with pytest.raises(ConfigError, match=r"warehouse.table_root: .* cannot be written"):
        Pipeline.open(str(tmp_path / "p.yaml"))
