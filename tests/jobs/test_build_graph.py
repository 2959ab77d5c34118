"""The build_graph step: tables, versions, reruns, nothing left cached."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from pathlib import Path

import duckdb
import duckdb_extension_delta
import pytest
from chispa import assert_df_equality
from pyspark.sql import functions as F

from interest_graph import tables
from interest_graph.builds import newest_build
from interest_graph.cache_scope import persistent_rdds
from interest_graph.errors import DataError, MissingTableError
from interest_graph.jobs.build_graph import JOB

DOCS = Path(__file__).parents[2] / "docs" / "graph.md"
NOON = datetime(2024, 1, 20, 12)


@pytest.fixture
def pipeline(open_pipeline, spark):
    """A warehouse with two taste groups, three items each, and two isolated friends."""
    everything = {
        "half_life_days": 10.0,
        "min_weight": 0.05,
        "text": {"neighbours_per_item": 1, "n_clusters": 2},
    }
    pipeline = open_pipeline(graph=everything, features={"encoder": "tiny"})
    # Everybody's last item is another one.
    turns = ("xyz", "yzx", "zxy")
    pairs = [(u, i) for u, turn in zip("abc", turns, strict=True) for i in turn]
    pairs += [(u, i) for u, turn in zip("def", ("pqr", "qrp", "rpq"), strict=True) for i in turn]
    events = [
        (
            f"e{n}",
            user,
            item,
            "view",
            NOON + timedelta(minutes=n),
            date(2024, 1, 20),
            "2024-01",
            None,
            "s",
            None,
            "t",
        )
        for n, (user, item) in enumerate(pairs)
    ]
    items = [
        (item, item.upper(), None, ["Drama"] if item in "xyz" else ["War"], {"year": "1999"})
        for item in "xyzpqr"
    ]
    vectors = [(item, "tiny", "", [1.0, 0.0] if item in "xyz" else [0.0, 1.0]) for item in "xyzpqr"]
    vectors += [("x", "other", "", [1.0])]
    pipeline.store.append(
        tables.INTERACTIONS, spark.createDataFrame(events, tables.INTERACTIONS.schema)
    )
    pipeline.store.append(tables.ITEMS, spark.createDataFrame(items, tables.ITEMS.schema))
    friends = spark.createDataFrame([("a", "b", 1.0), ("a", "a", 1.0)], tables.SOCIAL_EDGES.schema)
    pipeline.store.append(tables.SOCIAL_EDGES, friends)
    pipeline.store.append(tables.FEATURES, spark.createDataFrame(vectors, tables.FEATURES.schema))
    people = spark.createDataFrame([("a", {"age": "9"})], tables.USERS.schema)
    pipeline.store.append(tables.USERS, people)
    return pipeline


@pytest.fixture
def duck():
    """DuckDB with its Delta extension, loaded from the installed file: no network."""
    extension = next(Path(duckdb_extension_delta.__file__).parent.rglob("*.duckdb_extension"))
    connection = duckdb.connect(config={"allow_unsigned_extensions": "true"})
    connection.execute(f"LOAD '{extension}'")
    return connection


def test_graph_is_built_twice_with_the_same_rows(pipeline, spark, warehouse, duck):
    cached = persistent_rdds(spark)
    pipeline.run(JOB)
    graph = [
        tables.EDGES,
        tables.VERTICES,
        tables.COMMUNITIES,
        tables.GRAPH_METRICS,
        tables.GRAPH_VERSIONS,
    ]
    first = {t.name: pipeline.store.read(t, pipeline.store.version(t)) for t in graph}

    pipeline.run(JOB, force=True)

    for table in graph:
        again, once = (
            _sortable(frame) for frame in (pipeline.store.read(table), first[table.name])
        )
        assert_df_equality(again, once, ignore_row_order=True)
    _check_edges(pipeline)
    _check_structure(pipeline)
    _check_vertices(pipeline)
    assert (
        newest_build(pipeline.read(tables.GRAPH_VERSIONS))["graph_version"]
        == first["graph.edges"].first().graph_version
    )
    assert persistent_rdds(spark) <= cached
    _check_queries_of_the_docs(spark, warehouse, duck)
    _check_example_of_the_docs(pipeline)


def _sortable(frame):
    """Spark orders no maps."""
    maps = [column.name for column in frame.schema if column.dataType.typeName() == "map"]
    return frame.withColumns({name: F.map_entries(name) for name in maps}) if maps else frame


def _check_edges(pipeline):
    edges = pipeline.store.read(tables.EDGES)
    kinds = {row.kind: row["count"] for row in edges.groupBy("kind").count().collect()}
    assert kinds == {
        "user_item": 18,
        "item_item": 12,
        "item_text": 6,
        "item_interest": 12,
        "user_interest": 12,
        "social": 1,
    }
    view = edges.where("src = 'u:a' AND dst = 'i:x'").first()
    age_days = (datetime(2024, 1, 31) - NOON).total_seconds() / 86_400
    assert view.weight == pytest.approx(0.5 ** (age_days / 10.0), rel=1e-12)


def _check_structure(pipeline):
    rows = pipeline.store.read(tables.COMMUNITIES).collect()
    groups = {
        frozenset(r.id for r in rows if r.community == c) for c in {r.community for r in rows}
    }
    assert groups == {
        frozenset({"u:a", "u:b", "u:c", "i:x", "i:y", "i:z"}),
        frozenset({"u:d", "u:e", "u:f", "i:p", "i:q", "i:r"}),
    }
    metrics = {
        (r.stage, r.metric): r.value for r in pipeline.store.read(tables.GRAPH_METRICS).collect()
    }
    assert metrics["before", "components"] == metrics["after", "components"] == 2
    assert metrics["after", "density"] == 0.5
    assert metrics["after", "weight_kept_fraction"] == 1.0
    assert metrics["before", "degree.item.from_2"] == metrics["after", "degree.user.from_2"] == 6
    assert metrics["after", "held_out.users"] == 6
    assert metrics["after", "held_out.recall_20"] == metrics["before", "held_out.recall_20"] == 1.0
    assert metrics["after", "held_out.recall_lost_fraction"] == 0.0


def _check_vertices(pipeline):
    rows = {row.id: row for row in pipeline.store.read(tables.VERTICES).collect()}
    assert (rows["u:a"].attributes, rows["u:b"].attributes) == ({"age": "9"}, None)
    assert (rows["i:x"].attributes, rows["i:x"].vector) == ({"year": "1999"}, [1.0, 0.0])
    assert (rows["i:x"].n_events, rows["i:x"].n_neighbours, rows["u:a"].n_events) == (3, 3, 3)
    assert rows["i:x"].first_ts < rows["i:x"].last_ts
    assert (rows["t:War"].n_events, rows["t:War"].vector) == (None, None)


def _blocks(language):
    found = re.findall(rf"^```{language}\n(.*?)^```", DOCS.read_text(), re.DOTALL | re.MULTILINE)
    assert found
    return found


def _check_queries_of_the_docs(spark, warehouse, duck):
    """Both engines take the statements as they stand, and answer alike."""
    for engine, run in (("spark", spark.sql), ("duckdb", duck.execute)):
        (views,) = _blocks(f"sql {engine}")
        for statement in views.replace("warehouse/graph", f"{warehouse}/graph").split(";\n"):
            if statement.strip():
                run(statement)
    for query in _blocks("sql"):
        rows = [tuple(row) for row in spark.sql(query).collect()]
        assert rows == duck.execute(query).fetchall()
        assert rows or "kind = 'social'" in query


def _check_example_of_the_docs(pipeline):
    (code,) = _blocks("python")
    names = {"pipeline": pipeline}
    exec(code, names)
    nearest = names["near"].orderBy("rank", ascending=False).first()
    assert nearest.id == "u:a"
    assert {row.hops for row in names["far"].where("id = 'u:a'").collect()} == {1}
    assert names["later"].where("src = 'i:x' AND dst = 'i:y'").first().n_users == 2


def test_text_edges_without_text_vectors_name_the_job_that_makes_them(open_pipeline, spark):
    pipeline = open_pipeline(graph={"text": {"n_clusters": 5}})
    pipeline.store.append(
        tables.INTERACTIONS, spark.createDataFrame([], tables.INTERACTIONS.schema)
    )

    with pytest.raises(MissingTableError, match="featurize"):
        pipeline.run(JOB)


def test_events_too_old_to_weigh_anything_stop_the_job_before_it_writes(pipeline, open_pipeline):
    late = open_pipeline(as_of=datetime(2040, 1, 1), graph={"half_life_days": 1.0})

    with pytest.raises(DataError, match="half_life_days"):
        late.run(JOB)

    assert not late.store.exists(tables.EDGES)
