"""The tune job: resumed after a kill, judged by pairs that no trial has seen."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from tests.jobs.test_train import write_graph

from interest_graph import tables
from interest_graph.config import Settings, load_settings
from interest_graph.errors import ConfigError, TrainingError
from interest_graph.folders import LocalFolder
from interest_graph.jobs import tune
from interest_graph.jobs.tune import JOB
from interest_graph.pipeline import Pipeline
from interest_graph.train.tuning import nested_holdout
from interest_graph.train.tuning.study import open_study

SPACE = {
    "train.item_knn.shrinkage": {"kind": "float", "low": 1, "high": 100, "log": True},
    "train.item_knn.neighbours": {"kind": "int", "low": 1, "high": 8},
}
TUNE = {"model": "item_knn", "n_trials": 3, "space": SPACE}


def watch(patch, endings):
    """Note the pairs that trials are fitted to and judged by; the first ones end as `endings`."""
    make, compare_models, endings = tune.make_model, nested_holdout.rank_held_out, list(endings)
    seen = {"fitted": set(), "judged": set()}

    def note(kind, *frames):
        for frame in frames:
            seen[kind] |= {(row.user_id, row.item_id) for row in frame.collect()}

    def watched_model(*given):
        if endings:
            raise endings.pop(0)
        model = make(*given)

        def fit(edges, validation):
            note("fitted", edges, validation)
            return model.fit(edges, validation)

        return SimpleNamespace(fit=fit)

    def watched_judge(sources, edges, held_out, *rest):
        note("judged", held_out)
        return compare_models(sources, edges, held_out, *rest)

    patch.setattr(tune, "make_model", watched_model)
    patch.setattr(nested_holdout, "rank_held_out", watched_judge)
    return seen


@pytest.fixture(scope="module")
def tuned(spark, tmp_path_factory):
    """A study that ends in its first trial, as by a kill, and is then gone on with."""
    root = tmp_path_factory.mktemp("tuned")
    settings = Settings.model_validate({"warehouse": {"table_root": str(root)}, "tune": TUNE})
    pipeline = Pipeline(settings, spark, datetime(2024, 1, 31, tzinfo=UTC))
    write_graph(pipeline, "g", 1, seed=1)
    with pytest.MonkeyPatch.context() as patch:
        seen = watch(patch, [KeyboardInterrupt(), TrainingError("the loss is nan", 1)])
        with pytest.raises(KeyboardInterrupt):
            pipeline.run(JOB)
        pipeline.run(JOB)
    trials = pipeline.store.read(tables.TRIALS).orderBy("trial").collect()
    return SimpleNamespace(root=root, pipeline=pipeline, trials=trials, seen=seen)


def test_a_killed_trial_is_tried_again_and_a_failed_one_is_not(tuned):
    killed, failed, *complete = tuned.trials

    assert [trial.state for trial in tuned.trials] == [
        "interrupted",
        "failed",
        "complete",
        "complete",
    ]
    assert killed.settings == failed.settings
    assert (failed.metric, failed.error) == (None, "shard 1: the loss is nan")
    assert all(trial.seconds > 0 and trial.peak_memory_mb > 0 for trial in complete)
    assert all(0 < trial.metric <= 1 for trial in complete)
    assert len({str(trial.settings) for trial in tuned.trials}) == 3


def test_no_trial_sees_the_pairs_that_judge_it(tuned):
    fitted, judged = tuned.seen["fitted"], tuned.seen["judged"]

    assert len(fitted | judged) == tuned.pipeline.store.read(tables.EDGES).count()
    assert len(judged) >= 20  # of 40 users
    assert not fitted & judged


def test_the_best_settings_are_a_file_that_train_takes(tuned, tmp_path):
    best = max(tuned.trials, key=lambda trial: trial.metric or 0)
    (path,) = tuned.root.glob("_tuning/*/best.yaml")
    (tmp_path / "p.yaml").write_text("project: shop\ntrain: {model: als, seed: 7}\n")

    train = load_settings([tmp_path / "p.yaml", path]).train

    assert (train.model, train.seed) == ("item_knn", 7)
    found = {name: json.loads(value) for name, value in best.settings.items()}
    assert train.item_knn.shrinkage == found["train.item_knn.shrinkage"]
    assert train.item_knn.neighbours == [found["train.item_knn.neighbours"]]


def test_a_study_without_a_complete_trial_is_one_line(tmp_path, monkeypatch):
    search = SimpleNamespace(folder=LocalFolder(tmp_path))

    def fail(_job, _search, draw):
        (tmp_path / f"trial-{draw.place:05d}").mkdir()
        raise TrainingError("too large")

    monkeypatch.setattr(tune, "_measure", fail)
    with open_study(
        LocalFolder(tmp_path), "s", Settings.model_validate({"tune": TUNE}).tune
    ) as study:
        tune._attempt(None, search, study, study.draw())

        with pytest.raises(TrainingError, match="no trial is complete; the last error: too large"):
            study.best()
    assert not list(tmp_path.glob("trial-*"))


def test_what_is_wrong_before_the_first_trial_is_one_line(open_pipeline):
    with pytest.raises(ConfigError, match=r"^tune.space: names no setting"):
        tune.run(open_pipeline())
