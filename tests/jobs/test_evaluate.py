from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from interest_graph import tables
from interest_graph.cache_scope import persistent_rdds
from interest_graph.config import Settings
from interest_graph.errors import TrainingError
from interest_graph.jobs.evaluate import JOB
from interest_graph.pipeline import Pipeline
from interest_graph.train.models.item_item.base import WholeMatrixModel

START = datetime(2024, 1, 1, tzinfo=UTC)
AS_OF = datetime(2024, 1, 31, tzinfo=UTC)
N_ITEMS = 30  # of each community
RANDOM, TIME = "random 0.75 seed 42", "time 0.8"


def communities(seed=5, n_users=60):
    """Two halves of the users, each with items of its own; every user sees 12 of 30, shuffled."""
    random = np.random.default_rng(seed)
    pairs = [
        (f"u{user}", f"i{user % 2}-{item}")
        for user in range(n_users)
        for item in random.choice(N_ITEMS, size=12, replace=False)
    ]
    return [pairs[place] for place in random.permutation(len(pairs))]


def write_interactions(pipeline, pairs):
    """One event a minute, in the order of the pairs."""
    facts = {"action": "view", "value": None, "dwell_seconds": None, "source": "log"}
    rows = []
    for number, (user, item) in enumerate(pairs):
        moment = START + timedelta(minutes=number)
        own = {"event_id": str(number), "user_id": user, "item_id": item, "session_id": user}
        when = {"event_ts": moment, "event_date": moment.date(), "event_period": "2024"}
        rows.append(tuple((facts | own | when)[c] for c in tables.INTERACTIONS.column_names))
    frame = pipeline.spark.createDataFrame(rows, tables.INTERACTIONS.schema)
    pipeline.store.replace(tables.INTERACTIONS, frame)


@pytest.fixture(scope="module")
def pipeline(spark, tmp_path_factory):
    """A job that has evaluated the two communities on two splits, once for all tests."""
    splits = [{"kind": "random"}, {"kind": "time", "train_fraction": 0.8}]
    settings = {
        "warehouse": {"table_root": str(tmp_path_factory.mktemp("warehouse"))},
        "train": {"model": "item_knn"},
        "evaluate": {"splits": splits, "k": [5, 10], "baselines": ["popularity", "item_knn"]},
    }
    pipeline = Pipeline(Settings.model_validate(settings), spark, AS_OF)
    write_interactions(pipeline, communities())
    assert pipeline.run(JOB)
    return pipeline


@pytest.fixture(scope="module")
def metrics(pipeline):
    rows = pipeline.store.read(tables.METRICS).toLocalIterator()
    return {(row["split"], row["model"], row["metric"], row["k"]): row for row in rows}


def test_every_measure_is_there_for_every_split_model_and_length(metrics):
    names = {key[2] for key in metrics}
    assert names == {"precision", "recall", "f1", "ndcg", "mrr", "map", "hit_rate", "coverage"}
    assert len(metrics) == 2 * 2 * 8 * 2  # splits x models x measures x lengths


@pytest.mark.parametrize("split", [RANDOM, TIME])
def test_a_model_of_communities_leads_popularity(metrics, split):
    ours = metrics[split, "item_knn", "ndcg", 10]
    theirs = metrics[split, "popularity", "ndcg", 10]

    assert (ours["is_ours"], theirs["is_ours"]) == (True, False)
    assert ours["value"] > 1.3 * theirs["value"] > 0
    assert theirs["lead"] == pytest.approx(ours["value"] - theirs["value"])
    assert 0 < theirs["lead_low"] < theirs["lead"] < theirs["lead_high"]
    assert ours["lead"] is None
    assert ours["n_users"] > 40


def test_train_and_test_parts_end_where_they_say(pipeline, metrics):
    end = START + timedelta(minutes=0.8 * len(communities()))
    assert metrics[TIME, "item_knn", "ndcg", 10]["as_of"].astimezone(UTC) == end
    assert metrics[RANDOM, "item_knn", "ndcg", 10]["as_of"].astimezone(UTC) == AS_OF
    assert pipeline.rows[f"{TIME}: hold_out"] == 0.2 * len(communities())
    assert pipeline.rows[f"{TIME}: hold_out_unknown_items"] == 0


def test_a_second_run_has_nothing_to_do(pipeline, metrics):
    assert metrics
    assert not pipeline.run(JOB)


def test_a_split_that_leaves_nobody_is_left_out(open_pipeline):
    pipeline = open_pipeline(evaluate={"splits": [{"kind": "random"}], "baselines": ["popularity"]})
    write_interactions(pipeline, [(f"u{n}", "same") for n in range(8)])  # no user has two items

    pipeline.run(JOB)

    assert pipeline.store.read(tables.METRICS).isEmpty()


def test_a_blend_and_a_baseline_share_a_fit(open_pipeline, monkeypatch):
    fits, fit = [], WholeMatrixModel.fit

    def counted(model, edges, validation=None):
        fits.append((model.name, validation is not None))
        return fit(model, edges, validation)

    monkeypatch.setattr(WholeMatrixModel, "fit", counted)
    pipeline = open_pipeline(
        train={"model": "blend", "blend": {"weights": {"item_knn": 2.0}}},
        evaluate={"splits": [{"kind": "random"}], "k": [5], "baselines": ["item_knn"]},
    )
    write_interactions(pipeline, communities(n_users=40))
    before = persistent_rdds(pipeline.spark)

    pipeline.run(JOB)

    assert fits == [("item_knn", True)]
    found = pipeline.store.read(tables.METRICS).where("metric = 'ndcg'").collect()
    assert {row.model for row in found} == {"blend", "item_knn"}
    assert found[0].value == found[1].value > 0  # twice the weights are the same lists
    assert persistent_rdds(pipeline.spark) <= before


def open_small(open_pipeline, model):
    """A worker of 1 MB has no room for item_knn."""
    pipeline = open_pipeline(
        train={"model": model, "worker_mb": 1},
        evaluate={"splits": [{"kind": "random"}], "k": [5], "baselines": ["item_knn"]},
    )
    write_interactions(pipeline, communities(n_users=40))
    return pipeline


def test_a_baseline_that_no_worker_has_memory_for_is_left_out(open_pipeline, spark, capsys):
    pipeline, before = open_small(open_pipeline, "popularity"), persistent_rdds(spark)

    pipeline.run(JOB)

    found = pipeline.store.read(tables.METRICS).select("model").distinct().collect()
    assert {row.model for row in found} == {"popularity"}
    line = " ".join(capsys.readouterr().err.split())
    assert f"{RANDOM}: baseline item_knn left out, 60 items take it more memory" in line
    assert persistent_rdds(spark) <= before


def test_the_own_model_that_no_worker_has_memory_for_fails_the_job(open_pipeline):
    with pytest.raises(TrainingError, match="item_knn needs about 1 MB in one worker for 60 items"):
        open_small(open_pipeline, "item_knn").run(JOB)


def test_a_sample_of_the_users_is_measured_where_they_are_many(pipeline, spark):
    changed = {"users": 20, "splits": [{"kind": "random"}], "baselines": ["popularity"]}
    settings = pipeline.settings.model_copy(
        update={"evaluate": pipeline.settings.evaluate.model_validate(changed)}
    )
    sampled = Pipeline(settings, spark, AS_OF)

    assert sampled.run(JOB, force=True)

    rows = sampled.read("gold.metrics").collect()
    assert {row.n_users for row in rows} == {20}
    assert {row.model for row in rows} == {"item_knn", "popularity"}
