"""Item texts to vectors in tables, with the packaged encoder in workers."""

from __future__ import annotations

import numpy as np
import pytest

from interest_graph import tables
from interest_graph.errors import EnvironmentProblem
from interest_graph.job import run_step
from interest_graph.steps.featurize import STEP


def write_items(job, **texts):
    rows = [(item_id, item_id.title(), text, [], {}) for item_id, text in texts.items()]
    frame = job.spark.createDataFrame(rows, tables.ITEMS.schema)
    frame.write.format("delta").mode("overwrite").save(job.store.location(tables.ITEMS))


def vectors(job):
    rows = job.store.read(tables.FEATURES).collect()
    return {row.item_id: np.array(row.vector) for row in rows}


def test_only_new_and_changed_texts_are_encoded(open_job):
    job = open_job()
    write_items(job, cat="a cat sleeps", kitten="a kitten naps", stocks="the market fell", none=" ")
    run_step(job, STEP)
    assert job.rows == {"texts encoded": 4, "items with text": 4}
    first = vectors(job)
    assert first["cat"] @ first["kitten"] > 0.5 > first["cat"] @ first["stocks"]
    np.testing.assert_allclose([v @ v for v in first.values()], 1, rtol=1e-5)

    write_items(job, cat="a cat sleeps", kitten="the bank failed", new="rain")
    again = open_job()
    run_step(again, STEP)

    assert again.rows == {"texts encoded": 2, "items with text": 3}
    second = vectors(again)
    assert sorted(second) == ["cat", "kitten", "new"]
    np.testing.assert_array_equal(second["cat"], first["cat"])
    assert second["kitten"] @ first["kitten"] < 0.5


def test_an_encoder_that_workers_cannot_load_is_one_clear_line(open_job):
    job = open_job(features={"encoder": "/no/such/folder"})
    write_items(job, cat="a cat sleeps")

    with pytest.raises(EnvironmentProblem) as found:
        run_step(job, STEP)

    assert str(found.value).startswith("features.encoder /no/such/folder cannot be loaded")
    assert "\n" not in str(found.value)
    assert not job.store.exists(tables.FEATURES)


def test_without_items_there_is_nothing_to_encode(open_job):
    job = open_job()

    run_step(job, STEP)

    assert job.rows == {"items with text": 0}


def test_workers_use_one_thread_a_task(spark):
    def threads(batches):
        import pandas as pd
        import torch

        for _ in batches:
            yield pd.DataFrame({"n": [torch.get_num_threads()]})

    rows = spark.range(4, numPartitions=2).mapInPandas(threads, "n INT").collect()

    assert {row.n for row in rows} == {1}
