from __future__ import annotations

import io
from datetime import UTC, datetime
from pathlib import Path

import pytest
from rich.console import Console

from interest_graph import summary, tables
from interest_graph.config import Settings
from interest_graph.evaluate.graph_pictures import GraphTables, community_map, example_ego, item_ego
from interest_graph.evaluate.graph_views import shown_name
from interest_graph.job import Run
from interest_graph.jobs.report import JOB, example_lists, report_path
from interest_graph.pipeline import Pipeline

AS_OF = datetime(2024, 1, 31, tzinfo=UTC)
FILMS = {"a": "Alien", "b": None, "c": "<b>Casablanca</b> [red]"}


def write(pipeline, table, rows):
    """Rows given as dictionaries; columns that they lack are null."""
    named = [tuple(row.get(column) for column in table.column_names) for row in rows]
    pipeline.store.replace(table, pipeline.spark.createDataFrame(named, table.schema))


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


def opened(pipeline):
    """A run of the job on the pipeline, that has not started."""
    return Run(JOB, pipeline.settings, pipeline.spark, pipeline.as_of)


def graph_of(pipeline):
    named = (tables.EDGES, tables.VERTICES, tables.COMMUNITIES)
    return GraphTables(*map(pipeline.read, named))


def page(pipeline):
    return Path(report_path(opened(pipeline)))


@pytest.fixture(scope="module")
def pipeline(spark, tmp_path_factory):
    root = str(tmp_path_factory.mktemp("warehouse"))
    settings = Settings.model_validate({"project": "films", "warehouse": {"table_root": root}})
    pipeline = Pipeline(settings, spark, AS_OF)
    popular = [recommendation("0", 1, "a", strategy="popularity")]
    lists = [
        recommendation(user, rank, item) for user in "21" for rank, item in ((2, "c"), (1, "b"))
    ]
    write(pipeline, tables.RECOMMENDATIONS, popular + lists)
    items = [
        {"item_id": i, "title": t, "categories": [], "attributes": {}} for i, t in FILMS.items()
    ]
    write(pipeline, tables.ITEMS, items)
    edges = [edge("u:1", "i:a", "user_item", 2.0), edge("i:a", "t:War", "item_interest", 1.0)]
    edges += [edge("i:b", "t:War", "item_interest", 1.0), edge("i:a", "i:c", "item_item", 0.5)]
    edges += [edge("u:2", "i:c", "user_item", 9.0)]
    write(pipeline, tables.EDGES, edges)
    ids = {"u:1": "user", "i:a": "item", "i:b": "item", "i:c": "item", "t:War": "interest"}
    vertices = [
        {"graph_version": "g", "id": i, "kind": k, "key": i[2:], "name": FILMS.get(i[2:])}
        for i, k in ids.items()
    ]
    write(pipeline, tables.VERTICES, vertices)
    groups = {"u:1": 0, "i:a": 0, "t:War": 0, "u:2": 3, "i:b": 3, "i:c": 3, "alone": 9}
    structure = [vertex_structure(name, group) for name, group in groups.items()]
    write(pipeline, tables.COMMUNITIES, structure)
    built = {"graph_version": "g", "build": 1, "as_of": AS_OF, "formula": "", "settings": "{}"}
    write(pipeline, tables.GRAPH_VERSIONS, [built | {"input_versions": {}}])
    write(pipeline, tables.METRICS, [metric("ours", 0.5, True), metric("als", 0.25, False)])
    return pipeline


def test_report_is_written_once_and_again_when_it_is_gone(pipeline):
    assert pipeline.run(JOB)
    assert not pipeline.run(JOB)

    text = page(pipeline).read_text(encoding="utf-8")
    assert "because of b" in text
    assert "<b>Casablanca" not in text
    assert "0.5000" in text

    page(pipeline).unlink()
    assert pipeline.run(JOB)
    assert page(pipeline).exists()


def test_examples_are_the_first_users_that_a_model_serves(pipeline):
    found = [
        (row["user_id"], row["rank"], row["title"]) for row in example_lists(opened(pipeline), 1)
    ]

    assert found == [("1", 1, "b"), ("1", 2, FILMS["c"])]  # an item without a title shows its id


def test_the_configured_user_comes_first(pipeline):
    settings = pipeline.settings.model_copy(
        update={"report": pipeline.settings.report.model_copy(update={"user": "0"})}
    )

    found = example_lists(opened(Pipeline(settings, pipeline.spark, AS_OF)), 2)

    assert [row["user_id"] for row in found] == ["0", "1", "1"]


def test_ego_graph_joins_user_items_interests_and_recommendations(pipeline):
    ego = example_ego(graph_of(pipeline), example_lists(opened(pipeline), 1))

    assert [[vertex["id"] for vertex in column] for column in ego.columns] == [
        ["u:1"],
        ["i:a"],
        ["t:War"],
        ["i:b", "i:c"],
    ]
    links = {(link["src"], link["dst"]) for link in ego.links}
    assert links == {("u:1", "i:a"), ("i:a", "t:War"), ("i:b", "t:War"), ("i:a", "i:c")}


def test_item_graph_is_that_of_highest_rank_or_the_configured_one(pipeline):
    ego = item_ego(graph_of(pipeline), None)

    columns = [[vertex["id"] for vertex in column] for column in ego.columns]
    assert columns == [["u:1"], ["i:a"], ["i:c"], ["t:War"]]
    links = {(link["src"], link["dst"]) for link in ego.links}
    assert links == {("u:1", "i:a"), ("i:a", "i:c"), ("i:a", "t:War")}
    assert item_ego(graph_of(pipeline), "nothing") is None


def test_communities_are_named_by_their_best_known_items(pipeline):
    found = community_map(graph_of(pipeline))

    shown = [(c["community"], c["n_users"], c["n_items"], c["names"]) for c in found.circles]
    assert shown == [(0, 1, 1, [FILMS["a"]]), (3, 1, 2, [FILMS["c"], "b"])]
    assert found.links == []


def test_summary_prints_models_examples_and_places(pipeline, monkeypatch):
    console = record(monkeypatch)

    summary.print_summary(opened(pipeline))

    printed = console.export_text()
    assert "Split random 0.75 seed 42, top 10, 9 users" in printed
    assert printed.index("ours") < printed.index("als")
    assert "Recommendations for user 1" in printed
    assert FILMS["c"] in printed  # markup in a title is text
    assert str(page(pipeline)) in printed
    assert f"tables: {pipeline.store.location(tables.METRICS).rsplit('/gold', 1)[0]}" in printed


def test_a_warehouse_without_tables_gives_a_page_and_a_summary(open_pipeline, monkeypatch):
    pipeline = open_pipeline()
    console = record(monkeypatch)

    pipeline.run(JOB)
    summary.print_summary(opened(pipeline))

    assert page(pipeline).exists()
    assert "report: " in console.export_text()


def test_a_vertex_without_a_name_shows_its_key_and_a_number_says_of_what(spark):
    rows = [("item", "17", None), ("item", "/a.html", None), ("interest", "War", "War")]
    vertices = spark.createDataFrame(rows, "kind STRING, key STRING, name STRING")

    shown = [row[0] for row in vertices.select(shown_name()).collect()]

    assert shown == ["item 17", "/a.html", "War"]
