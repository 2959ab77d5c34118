"""The diff step: which versions, and what they differ in."""

from __future__ import annotations

import pytest

from interest_graph import tables
from interest_graph.errors import DataError
from interest_graph.graph.versions import pair_to_compare
from interest_graph.jobs.diff import JOB

A, B, C = ("a" * 12, "b" * 12, "c" * 12)


@pytest.fixture
def versions(spark):
    """Three builds."""
    rows = [(B, 2), (A, 1), (C, 3)]
    return spark.createDataFrame(rows, "graph_version STRING, build BIGINT")


def test_the_newest_builds_are_compared_unless_others_are_named(versions):
    assert pair_to_compare(versions) == (B, C)
    assert pair_to_compare(versions, new=B) == (A, B)
    assert pair_to_compare(versions, old=C, new=A) == (C, A)


@pytest.mark.parametrize(
    ("named", "message"), [({"old": "d" * 12}, "dddddddddddd"), ({"new": A}, "before aaaa")]
)
def test_a_version_that_is_not_there_is_named(versions, named, message):
    with pytest.raises(DataError, match=message):
        pair_to_compare(versions, **named)


@pytest.fixture
def pipeline(open_pipeline, spark):
    """A warehouse with two builds."""
    pipeline = open_pipeline()
    graphs = {
        B: ({"x": 1.0, "y": 1.0, "z": 1.0}, dict.fromkeys("uvxy", 0)),
        C: ({"x": 2.0, "y": 0.5, "w": 1.0}, {"u": 0, "v": 0, "x": 2, "y": 2}),
    }
    edges = [
        (version, "u", dst, "user_item", weight, 1, None, None)
        for version, (links, _) in graphs.items()
        for dst, weight in links.items()
    ]
    members = [
        (version, name, 0, 0, group, 0.0, 0.0, 1, 0, 0.0, 1, 1.0)
        for version, (_, groups) in graphs.items()
        for name, group in groups.items()
    ]
    builds = [(version, n, pipeline.as_of, "", "{}", {}) for n, version in enumerate(graphs)]
    content = {tables.EDGES.name: edges, tables.COMMUNITIES.name: members}
    content[tables.GRAPH_VERSIONS.name] = builds
    for name, rows in content.items():
        table = tables.ALL_TABLES[name]
        pipeline.store.append(table, spark.createDataFrame(rows, table.schema).coalesce(1))
    return pipeline


def test_changes_of_edges_and_communities_are_written_and_counted(pipeline):
    pipeline.run(JOB)

    edges = pipeline.store.read(tables.EDGE_CHANGES).collect()
    changes = {row.dst: row.change for row in edges}
    assert changes == {"x": "stronger", "y": "weaker", "z": "gone", "w": "new"}
    assert {(row.old_version, row.new_version) for row in edges} == {(B, C)}
    (split,) = pipeline.store.read(tables.COMMUNITY_CHANGES).collect()
    assert (split.change, split.community, split.parts, split.n_vertices) == ("split", 0, [0, 2], 4)
    counted = {f"user_item.{change}": 1 for change in changes.values()}
    assert pipeline.rows == counted | {"community.split": 1}
