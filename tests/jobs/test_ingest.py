"""The ingest step: exactly once, whatever happened before."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from interest_graph import tables
from interest_graph.errors import DataError
from interest_graph.jobs.ingest import JOB, batch_writer

EVENTS = {
    "name": "log",
    "columns": {"user_id": "u", "item_id": "i", "event_time": "t"},
    "action": "view",
    "time": {"format": "epoch_s"},
}
ITEMS = {"name": "things", "kind": "items", "columns": {"item_id": "i", "title": "t"}}


@pytest.fixture
def inbox(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "1.csv").write_text("u,i,t\na,1,100\nb,2,200\n")
    (tmp_path / "items.csv").write_text("i,t\n1,One\n2,Two\n")
    return folder


@pytest.fixture
def ingest(open_pipeline, inbox):
    """Runs the step on a fresh job; returns the job."""

    def run():
        sources = [
            {**EVENTS, "path": str(inbox)},
            {**ITEMS, "path": str(inbox.parent / "items.csv")},
        ]
        pipeline = open_pipeline(sources=sources)
        pipeline.run(JOB)
        return pipeline

    return run


def held(pipeline):
    return sorted(
        (r.file.rsplit("/", 1)[1], r.position, r.user_id) for r in _events(pipeline).collect()
    )


def _events(pipeline):
    return pipeline.store.read(tables.EVENTS)


def test_a_second_run_takes_in_only_what_is_new(ingest, inbox):
    first = ingest()
    assert held(first) == [("1.csv", 6, "a"), ("1.csv", 14, "b")]
    versions = [first.store.version(table) for table in (tables.EVENTS, tables.FILES, tables.ITEMS)]

    again = ingest()
    assert [again.store.version(t) for t in (tables.EVENTS, tables.FILES, tables.ITEMS)] == versions
    assert again.rows["new_files"] == 0

    (inbox / "2.csv").write_text("u,i,t\nc,3,300\n")
    third = ingest()
    assert held(third) == [("1.csv", 6, "a"), ("1.csv", 14, "b"), ("2.csv", 6, "c")]
    ledger = {
        r.path.rsplit("/", 1)[1]: (r.status, r.n_rows)
        for r in third.store.read(tables.FILES).collect()
    }
    assert ledger == {"1.csv": ("done", 2), "2.csv": ("done", 1), "items.csv": ("done", 2)}


@pytest.mark.parametrize("crash_at", ["write_events", "merge_attributes", "finish_batch"])
def test_a_crash_leaves_work_that_the_next_run_finishes(ingest, inbox, monkeypatch, crash_at):
    def crash(*arguments):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(batch_writer, crash_at, crash)
        with pytest.raises(KeyboardInterrupt):
            ingest()
    (inbox / "2.csv").write_text("u,i,t\nc,3,300\n")

    pipeline = ingest()

    assert held(pipeline) == [("1.csv", 6, "a"), ("1.csv", 14, "b"), ("2.csv", 6, "c")]
    batches = {
        r.path.rsplit("/", 1)[1]: r.batch_id for r in pipeline.store.read(tables.FILES).collect()
    }
    assert batches["1.csv"] == batches["items.csv"] != batches["2.csv"]
    assert {row.title for row in pipeline.store.read(tables.ITEMS).collect()} == {"One", "Two"}


def test_a_changed_log_is_refused_and_changed_attributes_are_merged(ingest, inbox):
    ingest()
    (inbox.parent / "items.csv").write_text("i,t\n1,Uno\n3,Three\n")
    titles = {r.item_id: r.title for r in ingest().store.read(tables.ITEMS).collect()}
    assert titles == {"1": "Uno", "2": "Two", "3": "Three"}

    (inbox / "1.csv").write_text("u,i,t\na,1,100\n")
    with pytest.raises(DataError, match=r"1\.csv"):
        ingest()


def test_columns_of_unlike_values_get_no_dictionary(ingest):
    folder = Path(ingest().store.location(tables.EVENTS))
    chunks = pq.ParquetFile(next(folder.glob("*/*.parquet"))).metadata.row_group(0).to_dict()

    with_dictionary = {
        chunk["path_in_schema"] for chunk in chunks["columns"] if chunk["has_dictionary_page"]
    }

    assert {"file", "source"} <= with_dictionary
    assert not {"event_id", "event_time", "position"} & with_dictionary
