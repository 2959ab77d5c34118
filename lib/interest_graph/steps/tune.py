"""graph.edges -> model.trials: settings of train tried on a validation part; the best as YAML."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import yaml
from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F
from rich.markup import escape

from interest_graph import tables
from interest_graph.config import TrainConfig, change_train
from interest_graph.config.train import NO_RESULT
from interest_graph.errors import ConfigError, TrainingError
from interest_graph.graph.version import newest_version
from interest_graph.job import Job, Step, one_line
from interest_graph.memory import PeakMemory
from interest_graph.progress import console
from interest_graph.recommend.graph import user_item_edges
from interest_graph.store import absolute
from interest_graph.tracking import Tracker, tracked
from interest_graph.train.edges import count_edges, hold_out_edges
from interest_graph.train.registry import make_model
from interest_graph.train.scores import rank_held_out
from interest_graph.train.study import (
    COMPLETE,
    FAILED,
    PRUNED,
    Draw,
    Outcome,
    PrunedTrial,
    Study,
    Tried,
    open_study,
)


@dataclass(frozen=True)
class Search:
    """What all trials of a study have in common.

    base: settings of train that a trial changes; known, held_out: user_id, item_id, weight; no
    trial is fitted to the held-out pairs, which decide. fit_edges, validation: the known pairs,
    once more divided, for early stopping and blend weights within a trial.
    """

    study: str
    folder: Path
    graph_version: str
    base: TrainConfig
    known: DataFrame
    held_out: DataFrame
    fit_edges: DataFrame
    validation: DataFrame


def run(job: Job) -> None:
    """Try settings until the study has its trials; a killed run goes on with the next one."""
    config = job.settings.tune
    if not config.space:
        raise ConfigError("tune.space", "names no setting, so there is nothing to tune")
    started = time.monotonic()
    with _search(job) as search, open_study(search.folder, search.study, config) as study:
        if study.tried():
            _write(job, search, study)  # what a killed run had no time for
        while study.n_finished < config.n_trials:
            if config.timeout_seconds and time.monotonic() - started > config.timeout_seconds:
                break
            draw = study.draw()
            with job.phase(f"trial {draw.place + 1} of {config.n_trials}"):
                _attempt(job, search, study, draw)
            _write(job, search, study)
        for state, n_trials in sorted(study.counts().items()):
            job.count(state, n_trials)
        _announce(search, _best(study), job.settings.train.validation.k)


@contextmanager
def _search(job: Job) -> Iterator[Search]:
    base = change_train(job.settings.train, job.settings.tune.overrides)
    graph_version = newest_version(job.read(tables.GRAPH_VERSIONS))
    study = _name_study(job, base, graph_version)
    graph = job.read(tables.EDGES).where(F.col("graph_version") == graph_version)
    edges = user_item_edges(graph).persist()
    count_edges(edges)
    known, held_out = hold_out_edges(edges, base.validation.fraction, base.seed)
    fit_edges, validation = hold_out_edges(known, base.validation.fraction, base.seed)
    parts = [part.persist() for part in (known, held_out, fit_edges, validation)]
    try:
        yield Search(study, _folder(job, study), graph_version, base, *parts)
    finally:
        for part in (*parts, edges):
            part.unpersist()


def _name_study(job: Job, base: TrainConfig, graph_version: str) -> str:
    """Twelve hexadecimal digits of all that decides the metrics; more trials go on with a study."""
    decisive = [
        base.model_dump(mode="json", exclude=NO_RESULT),
        job.settings.tune.model_dump(mode="json", exclude={"n_trials", "timeout_seconds"}),
        graph_version,
        version("interest-graph"),
    ]
    return hashlib.sha256(json.dumps(decisive).encode()).hexdigest()[:12]


def _folder(job: Job, study: str) -> Path:
    root = absolute(job.settings.warehouse.table_root)
    if ":/" in root:
        raise ConfigError("warehouse.table_root", f"tune needs a local folder, {root} is a URL")
    return Path(root) / "_tuning" / study


def _attempt(job: Job, search: Search, study: Study, draw: Draw) -> None:
    """Try the settings and record how it went; errors of settings do not end the study."""
    state, metric, error = FAILED, None, None
    started = time.monotonic()
    with PeakMemory() as memory:
        try:
            metric, state = _measure(job, search, draw), COMPLETE
        except PrunedTrial:
            state = PRUNED
        except Exception as failure:
            error = failure
    seconds, peak = time.monotonic() - started, memory.megabytes
    problem = one_line(error) if error else None
    study.finish(draw, Outcome(state, metric, round(seconds, 3), round(peak, 1), problem))
    if error is not None and not isinstance(error, ConfigError | TrainingError):
        raise error


def _measure(job: Job, search: Search, draw: Draw) -> float:
    """NDCG on the held-out pairs of the model fitted with these settings."""
    config = change_train(search.base, draw.settings)
    folder = search.folder / f"trial-{draw.place:05d}"
    parameters = config.model_dump(mode="json", exclude=NO_RESULT)
    tags = {"study": search.study, "graph_version": search.graph_version}
    tags |= {f"version.{name}": str(number) for name, number in job.input_versions.items()}
    name = f"trial {draw.place} of {search.study}"
    with tracked(config.mlflow, name, parameters, tags, (PrunedTrial,)) as tracker:
        listener = _Listener(tracker, draw)
        model = make_model(config.model, job.spark, config, str(folder), listener)
        fitted = model.fit(search.fit_edges, search.validation)
        tracker.log_rounds(fitted.log)
        ranking = rank_held_out(
            [fitted], search.known, search.held_out, config.validation, config.seed
        )
        if fitted.item_weights is not None:
            fitted.item_weights.unpersist()
        metric = ranking.trials[0].metric
        tracker.log_metrics({"held_out_ndcg": metric})
    shutil.rmtree(folder, ignore_errors=True)
    return metric


@dataclass(frozen=True)
class _Listener:
    """Passes each round on: to the tracker, and to the study, which may end the trial."""

    tracker: Tracker
    draw: Draw

    def __call__(self, number: int, loss: float, metric_before: float | None) -> None:
        self.tracker.log_round(number, loss, metric_before)
        if metric_before is not None:
            self.draw.report(number - 1, metric_before)


def _write(job: Job, search: Search, study: Study) -> None:
    """Bring the study's rows of model.trials up to what its file holds."""
    rows = [_row(search, tried) for tried in study.tried()]
    frame = job.spark.createDataFrame(rows, tables.TRIALS.schema)
    job.store.replace(tables.TRIALS, frame, where=f"study = '{search.study}'")


def _row(search: Search, tried: Tried) -> Row:
    return Row(
        study=search.study,
        trial=tried.trial,
        model=tried.settings.get("train.model", search.base.model),
        graph_version=search.graph_version,
        state=tried.outcome.state,
        settings={name: json.dumps(value) for name, value in tried.settings.items()},
        k=search.base.validation.k,
        metric=tried.outcome.metric,
        seconds=tried.outcome.seconds,
        peak_memory_mb=tried.outcome.peak_memory_mb,
        error=tried.outcome.error,
    )


def _best(study: Study) -> Tried:
    best = study.best()
    if best is None:
        errors = [tried.outcome.error for tried in study.tried() if tried.outcome.error]
        problem = f"no trial is complete; the last error: {errors[-1]}" if errors else "no trial"
        raise TrainingError(problem)
    return best


def _announce(search: Search, best: Tried, k: int) -> None:
    """Print the best settings, and write them as a file that --config takes."""
    title = f"NDCG@{k} {best.outcome.metric:.4f} on held-out pairs: trial {best.trial}"
    path = search.folder / "best.yaml"
    part = path.with_suffix(".part")
    part.write_text(f"# {title} of study {search.study}\n{_fragment(search, best)}")
    part.replace(path)
    console.print(f"best: {title}")
    for name, value in best.settings.items():
        console.print(escape(f"  {name}: {json.dumps(value)}"))
    console.print(f"written to {path}; add --config {path} to train with it", soft_wrap=True)


def _fragment(search: Search, best: Tried) -> str:
    tuned = change_train(search.base, best.settings).model_dump(mode="json")
    tree: dict[str, Any] = {"train": {"model": tuned["model"]}}
    for name in best.settings:
        branch, value = tree, {"train": tuned}
        *parents, leaf = name.split(".")
        for parent in parents:
            branch, value = branch.setdefault(parent, {}), value[parent]
        branch[leaf] = value[leaf]
    return str(yaml.safe_dump(tree, sort_keys=False))


STEP = Step(
    name="tune",
    run=run,
    reads=(tables.EDGES, tables.GRAPH_VERSIONS),
    writes=(tables.TRIALS,),
    settings=("train", "tune"),
    always=True,  # the study is its own ledger, and a run may end by its time limit
)
