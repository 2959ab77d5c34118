from __future__ import annotations

import io
from datetime import UTC, datetime

import pytest
from rich.console import Console

from interest_graph import summary, tables
from interest_graph.config import Settings
from interest_graph.evaluate.communities import shown_name
from interest_graph.job import Job, run_step
from interest_graph.steps.graph_pictures import community_map, example_ego, item_ego
from interest_graph.steps.report import STEP, example_lists, report_path

AS_OF = datetime(2024, 1, 31, tzinfo=UTC)
FILMS = {"a": "Alien", "b": None, "c": "<b>Casablanca</b> [red]"}


def write(job, table, rows):
    """Rows given as dictionaries; columns that they lack are null."""
    named = [tuple(row.get(column) for column in table.column_names) for row in rows]
    job.store.replace(table, job.spark.createDataFrame(named, table.schema))


def recommendation(user, rank, item, strategy="lightgcn"):
    lineage = {"model_run": "m", "graph_version": "g", "as_of": AS_OF, "score": 1.0 / rank}
    own = {"user_id": user, "rank": rank, "item_id": item, "strategy": strategy}
    return lineage | own | {"reason": f"because of {item}"}


def edge(src, dst, kind, weight):
    ends = {"graph_version": "g", "src": src, "dst": dst, "kind": kind}
    return ends | {"weight": weight, "n_events": 1}


def vertex_structure(name, group):
    numbers = dict.fromkeys(("component", "core_number", "triangles", "degree"), 1)
    numbers |= {"community": group, "modularity_community": group}
    shares = {"pagerank": 0.1, "clustering": 0.0, "weighted_degree": 1.0}
    rank = {"i:a": 0.5, "i:c": 0.2, "i:b": 0.1}.get(name, 0.05)
    own = {"graph_version": "g", "id": name, "weighted_pagerank": rank}
    return own | numbers | shares


def metric(model, value, is_ours):
    row = {"split": "random 0.75 seed 42", "model": model, "is_ours": is_ours, "metric": "ndcg"}
    row |= {"k": 10, "value": value, "n_users": 9, "seconds": 1.5, "as_of": AS_OF}
    return row | {"lead": None if is_ours else 0.25}


def record(monkeypatch):
    console = Console(record=True, width=160, file=io.StringIO())
    monkeypatch.setattr(summary, "console", console)
    return console


@pytest.fixture(scope="module")
def job(spark, tmp_path_factory):
    root = str(tmp_path_factory.mktemp("warehouse"))
    settings = Settings.model_validate({"project": "films", "warehouse": {"table_root": root}})
    job = Job(settings, spark, AS_OF)
    popular = [recommendation("0", 1, "a", strategy="popularity")]
    lists = [
        recommendation(user, rank, item) for user in "21" for rank, item in ((2, "c"), (1, "b"))
    ]
    write(job, tables.RECOMMENDATIONS, popular + lists)
    items = [
        {"item_id": i, "title": t, "categories": [], "attributes": {}} for i, t in FILMS.items()
    ]
    write(job, tables.ITEMS, items)
    edges = [edge("u:1", "i:a", "user_item", 2.0), edge("i:a", "t:War", "item_interest", 1.0)]
    edges += [edge("i:b", "t:War", "item_interest", 1.0), edge("i:a", "i:c", "item_item", 0.5)]
    edges += [edge("u:2", "i:c", "user_item", 9.0)]
    write(job, tables.EDGES, edges)
    ids = {"u:1": "user", "i:a": "item", "i:b": "item", "i:c": "item", "t:War": "interest"}
    vertices = [
        {"graph_version": "g", "id": i, "kind": k, "key": i[2:], "name": FILMS.get(i[2:])}
        for i, k in ids.items()
    ]
    write(job, tables.VERTICES, vertices)
    groups = {"u:1": 0, "i:a": 0, "t:War": 0, "u:2": 3, "i:b": 3, "i:c": 3, "alone": 9}
    structure = [vertex_structure(name, group) for name, group in groups.items()]
    write(job, tables.COMMUNITIES, structure)
    built = {"graph_version": "g", "build": 1, "as_of": AS_OF, "formula": "", "settings": "{}"}
    write(job, tables.GRAPH_VERSIONS, [built | {"input_versions": {}}])
    write(job, tables.METRICS, [metric("ours", 0.5, True), metric("als", 0.25, False)])
    return job


def test_report_is_written_once_and_again_when_it_is_gone(job):
    assert run_step(job, STEP)
    assert not run_step(job, STEP)

    page = report_path(job).read_text(encoding="utf-8")
    assert "because of b" in page
    assert "<b>Casablanca" not in page
    assert "0.5000" in page

    report_path(job).unlink()
    assert run_step(job, STEP)
    assert report_path(job).exists()


def test_examples_are_the_first_users_that_a_model_serves(job):
    found = [(row["user_id"], row["rank"], row["title"]) for row in example_lists(job, 1)]

    assert found == [("1", 1, "b"), ("1", 2, FILMS["c"])]  # an item without a title shows its id


def test_the_configured_user_comes_first(job):
    settings = job.settings.model_copy(
        update={"report": job.settings.report.model_copy(update={"user": "0"})}
    )

    found = example_lists(Job(settings, job.spark, AS_OF), 2)

    assert [row["user_id"] for row in found] == ["0", "1", "1"]


def test_ego_graph_joins_user_items_interests_and_recommendations(job):
    ego = example_ego(job, example_lists(job, 1))

    assert [[vertex["id"] for vertex in column] for column in ego.columns] == [
        ["u:1"],
        ["i:a"],
        ["t:War"],
        ["i:b", "i:c"],
    ]
    links = {(link["src"], link["dst"]) for link in ego.links}
    assert links == {("u:1", "i:a"), ("i:a", "t:War"), ("i:b", "t:War"), ("i:a", "i:c")}


def test_item_graph_is_that_of_highest_rank_or_the_configured_one(job):
    ego = item_ego(job)

    columns = [[vertex["id"] for vertex in column] for column in ego.columns]
    assert columns == [["u:1"], ["i:a"], ["i:c"], ["t:War"]]
    links = {(link["src"], link["dst"]) for link in ego.links}
    assert links == {("u:1", "i:a"), ("i:a", "i:c"), ("i:a", "t:War")}
    report = job.settings.report.model_copy(update={"item": "nothing"})
    settings = job.settings.model_copy(update={"report": report})
    assert item_ego(Job(settings, job.spark, AS_OF)) is None


def test_communities_are_named_by_their_best_known_items(job):
    found = community_map(job)

    shown = [(c["community"], c["n_users"], c["n_items"], c["names"]) for c in found.circles]
    assert shown == [(0, 1, 1, [FILMS["a"]]), (3, 1, 2, [FILMS["c"], "b"])]
    assert found.links == []


def test_summary_prints_models_examples_and_places(job, monkeypatch):
    console = record(monkeypatch)

    summary.print_summary(job)

    printed = console.export_text()
    assert "Split random 0.75 seed 42, top 10, 9 users" in printed
    assert printed.index("ours") < printed.index("als")
    assert "Recommendations for user 1" in printed
    assert FILMS["c"] in printed  # markup in a title is text
    assert str(report_path(job)) in printed
    assert f"tables: {job.store.location(tables.METRICS).rsplit('/gold', 1)[0]}" in printed


def test_a_warehouse_without_tables_gives_a_page_and_a_summary(open_job, monkeypatch):
    job = open_job()
    console = record(monkeypatch)

    run_step(job, STEP)
    summary.print_summary(job)

    assert report_path(job).exists()
    assert "report: " in console.export_text()


def test_a_vertex_without_a_name_shows_its_key_and_a_number_says_of_what(spark):
    rows = [("item", "17", None), ("item", "/a.html", None), ("interest", "War", "War")]
    vertices = spark.createDataFrame(rows, "kind STRING, key STRING, name STRING")

    shown = [row[0] for row in vertices.select(shown_name()).collect()]

    assert shown == ["item 17", "/a.html", "War"]
