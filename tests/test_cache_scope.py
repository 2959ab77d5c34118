"""Nothing that a graph computation caches outlives it."""

from __future__ import annotations

import pytest

from interest_graph.cache_scope import cache_scope, persistent_rdds
from interest_graph.config import GraphConfig
from interest_graph.graph.structure import components_of

RUNS = 50


def test_fifty_runs_in_one_session_leave_nothing_cached(spark):
    graph = spark.range(0, 3, numPartitions=1)
    before = persistent_rdds(spark)

    for _ in range(RUNS):
        with cache_scope(spark) as keep:
            keep(graph).count()
            graph.localCheckpoint()
            assert len(persistent_rdds(spark) - before) == 2

    assert persistent_rdds(spark) <= before
    assert not graph.storageLevel.useMemory


def test_what_graphframes_forgets_is_released(spark, edges):
    before = persistent_rdds(spark)

    with cache_scope(spark):
        config = GraphConfig(structure={"engine": "graphframes"})
        assert components_of(edges(("a", "b", 1.0)), config).count() == 2
        assert persistent_rdds(spark) > before

    assert persistent_rdds(spark) <= before


def test_a_failed_run_leaves_nothing_either(spark):
    before = persistent_rdds(spark)

    with pytest.raises(RuntimeError, match="on the way"):
        fail(spark)

    assert persistent_rdds(spark) <= before


def fail(spark):
    with cache_scope(spark) as keep:
        keep(spark.range(3)).count()
        raise RuntimeError("on the way")
