"""Nothing that a graph computation caches outlives it, and what others cache stays."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from pyspark import StorageLevel

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


def test_what_graphframes_forgets_is_released(spark):
    edges = spark.createDataFrame([("a", "b", 1.0)], "src STRING, dst STRING, weight DOUBLE")
    before = persistent_rdds(spark)

    with cache_scope(spark):
        config = GraphConfig(structure={"engine": "graphframes"})
        assert components_of(edges, config).count() == 2
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


def test_what_another_thread_caches_meanwhile_stays(spark):
    def cache():
        frames = [spark.range(7).persist(), spark.range(5).localCheckpoint()]
        return frames, [frame.count() for frame in frames]

    before = persistent_rdds(spark)
    with cache_scope(spark) as keep, ThreadPoolExecutor(1) as pool:
        keep(spark.range(9)).collect()  # PySpark names its own place in the program here
        spark.range(8).localCheckpoint()
        frames, counts = pool.submit(cache).result()

    assert (counts, len(persistent_rdds(spark) - before)) == ([7, 5], 2)
    assert frames[0].unpersist().storageLevel == StorageLevel.NONE


def test_a_frame_that_its_user_caches_stays_even_when_our_work_computes_it_first(spark):
    theirs = spark.range(30).selectExpr("id * 2 AS n").persist()
    before = persistent_rdds(spark)

    with cache_scope(spark) as keep:
        ours = spark.range(30).selectExpr("id * 2 AS n")
        assert keep(ours).where("n > 10").count() == 24
        assert keep(spark.range(31)).count() == 31

    assert theirs.storageLevel.useMemory
    assert len(persistent_rdds(spark) - before) == 1
    theirs.unpersist()


def test_a_scope_within_a_scope_releases_its_own_alone(spark):
    before = persistent_rdds(spark)

    with cache_scope(spark) as outer:
        outer(spark.range(3)).count()
        with cache_scope(spark) as inner:
            inner(spark.range(4)).count()
        spark.range(5).localCheckpoint()
        assert len(persistent_rdds(spark) - before) == 2

    assert persistent_rdds(spark) <= before
