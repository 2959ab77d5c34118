"""Item texts to vectors in tables, with the packaged encoder in workers."""

from __future__ import annotations

import numpy as np
import pytest

from interest_graph import tables
from interest_graph.errors import EnvironmentProblem
from interest_graph.jobs.featurize import JOB


def write_items(pipeline, **texts):
    rows = [(item_id, item_id.title(), text, [], {}) for item_id, text in texts.items()]
    frame = pipeline.spark.createDataFrame(rows, tables.ITEMS.schema)
    frame.write.format("delta").mode("overwrite").save(pipeline.store.location(tables.ITEMS))


def vectors(pipeline):
    rows = pipeline.store.read(tables.FEATURES).collect()
    return {row.item_id: np.array(row.vector) for row in rows}


def test_only_new_and_changed_texts_are_encoded(open_pipeline):
    pipeline = open_pipeline()
    write_items(
        pipeline, cat="a cat sleeps", kitten="a kitten naps", stocks="the market fell", none=" "
    )
    pipeline.run(JOB)
    assert pipeline.rows == {"texts encoded": 4, "items with text": 4}
    first = vectors(pipeline)
    assert first["cat"] @ first["kitten"] > 0.5 > first["cat"] @ first["stocks"]
    np.testing.assert_allclose([v @ v for v in first.values()], 1, rtol=1e-5)

    write_items(pipeline, cat="a cat sleeps", kitten="the bank failed", new="rain")
    again = open_pipeline()
    again.run(JOB)

    assert again.rows == {"texts encoded": 2, "items with text": 3}
    second = vectors(again)
    assert sorted(second) == ["cat", "kitten", "new"]
    np.testing.assert_array_equal(second["cat"], first["cat"])
    assert second["kitten"] @ first["kitten"] < 0.5


def test_an_encoder_that_workers_cannot_load_is_one_clear_line(open_pipeline):
    pipeline = open_pipeline(features={"encoder": "/no/such/folder"})
    write_items(pipeline, cat="a cat sleeps")

    with pytest.raises(EnvironmentProblem) as found:
        pipeline.run(JOB)

    assert str(found.value).startswith("features.encoder /no/such/folder cannot be loaded")
    assert "\n" not in str(found.value)
    assert not pipeline.store.exists(tables.FEATURES)


def test_without_items_there_is_nothing_to_encode(open_pipeline):
    pipeline = open_pipeline()

    pipeline.run(JOB)

    assert pipeline.rows == {"items with text": 0}


def test_workers_use_one_thread_a_task(spark):
    def threads(batches):
        import pandas as pd
        import torch

        for _ in batches:
            yield pd.DataFrame({"n": [torch.get_num_threads()]})

    rows = spark.range(4, numPartitions=2).mapInPandas(threads, "n INT").collect()

    assert {row.n for row in rows} == {1}
