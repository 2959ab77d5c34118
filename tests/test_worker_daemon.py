"""Spark's Python workers on one machine."""

from __future__ import annotations

import sys
import zipimport

import pyarrow as pa


def test_workers_share_what_the_daemon_imported(spark):
    def seen(batches):
        before = "interest_graph.events.ingest_task" in sys.modules
        archives = [
            finder
            for finder in sys.path_importer_cache.values()
            if isinstance(finder, zipimport.zipimporter)
        ]
        reads = any("invalidate_caches" not in finder.__dict__ for finder in archives)
        for batch in batches:
            n = batch.num_rows
            columns = [pa.array([before] * n), pa.array([reads] * n)]
            yield pa.RecordBatch.from_arrays(columns, names=["is_loaded", "reads_archives"])

    schema = "is_loaded BOOLEAN, reads_archives BOOLEAN"
    rows = spark.range(0, 2, 1, 2).mapInArrow(seen, schema).collect()

    assert {tuple(row) for row in rows} == {(True, False)}
