"""Users, items and social edges in their tables: merged, refused, and left alone if unchanged."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from interest_graph import tables
from interest_graph.jobs.ingest import JOB, attribute_merge
from interest_graph.store import Store

ITEMS = {
    "name": "things",
    "kind": "items",
    "columns": {"item_id": "i", "title": "t", "categories": "c", "year": "y"},
    "list_delimiter": "|",
}
EDGES = {"name": "friends", "kind": "social_edges", "columns": {"user_id": "u", "friend_id": "f"}}
USERS = {"name": "people", "kind": "users", "columns": {"user_id": "u", "city": "c"}}
HEADS = {"things": "i,t,c,y", "friends": "u,f", "people": "u,c"}


@pytest.fixture
def ingest(open_pipeline, tmp_path):
    """ingest(things=..., root=...): writes a file for each source, runs the job; its pipeline."""

    def run(root=tmp_path / "warehouse", **contents):
        for name, lines in contents.items():
            (tmp_path / f"{name}.csv").write_text("\n".join([HEADS[name], *lines, ""]))
        sources = [
            {**source, "path": str(tmp_path / f"{source['name']}.csv")}
            for source in (ITEMS, EDGES, USERS)
            if (tmp_path / f"{source['name']}.csv").exists()
        ]
        pipeline = open_pipeline(sources=sources, warehouse={"table_root": str(root)})
        pipeline.run(JOB)
        return pipeline

    return run


FIRST = {
    "things": ["1,One,War|Drama,1999", "2,Two,,", "2,,Film,", ",No,,"],
    "friends": ["a,b", "a,a", "b,c"],
    "people": ["a,Bern", "b,"],
}
SECOND = {"things": ["2,Zwei,,2001", "3,Three,,"], "friends": ["c,d"], "people": ["b,Rome"]}


def rows_of(pipeline, *declared):
    """By table its rows, as texts, with maps as sorted pairs."""
    return {
        table.name: sorted(
            str({k: sorted(v.items()) if isinstance(v, dict) else v for k, v in row.items()})
            for row in (found.asDict() for found in pipeline.store.read(table).collect())
        )
        for table in declared or (tables.ITEMS, tables.SOCIAL_EDGES, tables.USERS)
    }


def test_two_runs_merge_by_key_and_refuse_with_reasons(ingest):
    first = ingest(**FIRST)
    assert first.rows["items.refused.missing_item_id"] == 1
    assert first.rows["social_edges.refused.self_edge"] == 1

    items = {r.item_id: r for r in ingest(**SECOND).store.read(tables.ITEMS).collect()}

    assert (items["1"].text, items["1"].attributes) == ("One. War, Drama", {"year": "1999"})
    assert (items["2"].title, items["2"].text) == ("Zwei", "Zwei. Film")
    assert (items["3"].categories, items["3"].attributes) == ([], {})
    quarantine = first.store.read(tables.QUARANTINE)
    refused = {(r.kind, *r.reasons) for r in quarantine.collect()}
    assert refused == {("items", "missing_item_id"), ("social_edges", "self_edge")}


@pytest.mark.slow
def test_where_only_spark_may_write_the_rows_are_the_same(ingest, tmp_path, remote):
    for contents in (FIRST, SECOND):
        few = {name: contents[name] for name in ("things", "friends")}
        by_workers = ingest(root=tmp_path / "here", **few)
        by_spark = ingest(root=remote)

    declared = (tables.ITEMS, tables.SOCIAL_EDGES, tables.QUARANTINE)
    assert rows_of(by_spark, *declared) == rows_of(by_workers, *declared)


@pytest.mark.parametrize("place", ["here", "remote"])
def test_an_unchanged_file_that_is_touched_makes_no_version(ingest, tmp_path, remote, place):
    root = remote if place == "remote" else tmp_path / place
    written = (tables.ITEMS, tables.QUARANTINE)
    things = FIRST["things"][:2]
    store = ingest(root=root, things=things).store
    states = [store.state(table) for table in written]
    os.utime(tmp_path / "things.csv", (2_000_000_000, 2_000_000_000))

    again = ingest(root=root)

    assert again.rows["new_files"] == 1
    assert [again.store.state(table) for table in written] == states


def test_a_commit_between_reading_and_committing_loses_nothing(ingest, monkeypatch):
    store: Store = ingest(**FIRST).store
    other = [("2", None, "Given", [], {"year": "3", "brand": "b"}), ("9", "Nine", None, [], {})]
    told, tries = attribute_merge.summaries, []

    def overtaken(rows):
        found = told(rows)
        if not tries:
            store.merge(tables.ITEMS, store.spark.createDataFrame(other, tables.ITEMS.schema))
        tries.append(found)
        return found

    monkeypatch.setattr(attribute_merge, "summaries", overtaken)
    pipeline = ingest(things=SECOND["things"])

    items = {r.item_id: r for r in pipeline.store.read(tables.ITEMS).collect()}
    assert len(tries) == 2
    assert (items["2"].title, items["2"].text) == ("Zwei", "Given")
    assert items["2"].attributes == {"year": "2001", "brand": "b"}
    assert (items["9"].title, items["1"].title, len(items)) == ("Nine", "One", 4)


def test_several_parts_hold_the_same_rows_as_one(ingest, tmp_path, monkeypatch):
    one = ingest(root=tmp_path / "one", **FIRST)
    ingest(root=tmp_path / "one", **SECOND)
    monkeypatch.setattr(attribute_merge, "n_parts", lambda *_: 3)
    ingest(root=tmp_path / "three", **FIRST)
    three = ingest(root=tmp_path / "three", **SECOND)

    assert rows_of(three) == rows_of(one)
    assert len(list(Path(three.store.location(tables.ITEMS)).glob("*-*.parquet"))) > 2
