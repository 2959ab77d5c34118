"""graph.edges -> model.trials: settings of train tried on a validation part; the best as YAML."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass

import yaml
from pyspark.sql import Row
from rich.markup import escape

from interest_graph import tables
from interest_graph.config import TrainConfig, change_train, pick_train
from interest_graph.errors import ConfigError, TrainingError, one_line
from interest_graph.filesystem import is_url
from interest_graph.folders import Folder, open_folder
from interest_graph.identity import digest, library_version
from interest_graph.job import Job, Run
from interest_graph.memory import PeakMemory
from interest_graph.progress import console
from interest_graph.tracking import Tracker, track_training
from interest_graph.train.edges import TrainingGraph, newest_graph
from interest_graph.train.registry import make_model
from interest_graph.train.tuning.nested_holdout import NestedHoldout, held_out_ndcg, nest_holdout
from interest_graph.train.tuning.study import (
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
    """What all trials of a study have in common; base: settings of train that a trial changes."""

    study: str
    folder: Folder
    graph_version: str
    base: TrainConfig
    pairs: NestedHoldout


def run(run: Run) -> None:
    """Try settings until the study has its trials; a killed run goes on with the next one."""
    started = time.monotonic()
    if not run.settings.tune.space:
        raise ConfigError("tune.space", "names no setting, so there is nothing to tune")
    base = change_train(run.settings.train, run.settings.tune.overrides)
    newest = newest_graph(run.read(tables.EDGES), run.read(tables.GRAPH_VERSIONS))
    with newest as graph, nest_holdout(graph.edges, base) as pairs:
        study = _name_study(run, base, graph)
        folder = open_folder(run.spark, f"{run.root}/_tuning/{study}")
        search = Search(study, folder, graph.version, base, pairs)
        _go_on(run, search, started)


def _name_study(run: Run, base: TrainConfig, graph: TrainingGraph) -> str:
    """Name by content of a study: the same if only the number of trials or the time changes."""
    # As text, because the order of the settings in tune.space changes what is drawn.
    config = run.settings.tune.model_dump_json(exclude={"n_trials", "timeout_seconds"})
    return digest([base.decisive(), config, graph.version, library_version()], 12)


def _go_on(run: Run, search: Search, started: float) -> None:
    """Run trials until the study has n_trials, record each when it ends, print the best."""
    config = run.settings.tune
    with open_study(search.folder, search.study, config) as study:
        if study.tried():
            _write(run, search, study)  # trials that a killed run may not have written
        while study.n_finished < config.n_trials:
            if config.timeout_seconds and time.monotonic() - started > config.timeout_seconds:
                break
            draw = study.draw()
            with run.phase(f"trial {draw.place + 1} of {config.n_trials}"):
                _attempt(run, search, study, draw)
            _write(run, search, study)
        for state, n_trials in sorted(study.counts().items()):
            run.count(state, n_trials)
        _announce(search, study.best())


def _attempt(run: Run, search: Search, study: Study, draw: Draw) -> None:
    """Try the settings and record how it went; errors of settings do not end the study."""
    state, metric, error = FAILED, None, None
    started = time.monotonic()
    with PeakMemory() as memory:
        try:
            metric, state = _measure(run, search, draw), COMPLETE
        except PrunedTrial:
            state = PRUNED
        except Exception as failure:
            error = failure
    seconds, peak = time.monotonic() - started, memory.peak_mb
    problem = one_line(error) if error else None
    study.finish(draw, Outcome(state, metric, round(seconds, 3), round(peak, 1), problem))
    # Rounds of an interrupted trial stay: the trial is drawn again and goes on with them.
    search.folder.delete(_trial_folder(draw))
    if error is not None and not isinstance(error, ConfigError | TrainingError):
        raise error


def _trial_folder(draw: Draw) -> str:
    return f"trial-{draw.place:05d}"


def _measure(run: Run, search: Search, draw: Draw) -> float:
    """NDCG on the held-out pairs of the model fitted with these settings."""
    config = change_train(search.base, draw.settings)
    name = f"trial {draw.place} of {search.study}"
    tags = {"study": search.study, "graph_version": search.graph_version}
    versions = run.input_versions
    with track_training(config, name, tags, versions, early_ends=(PrunedTrial,)) as tracker:
        listener, folder = _Listener(tracker, draw), search.folder.path(_trial_folder(draw))
        model = make_model(config.model, run.spark, config, folder, listener)
        with model.fit(search.pairs.fit_edges, search.pairs.validation) as fitted:
            tracker.log_rounds(fitted.log)
            metric = held_out_ndcg(fitted, search.pairs, config)
        tracker.log_metrics({"held_out_ndcg": metric})
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


def _write(run: Run, search: Search, study: Study) -> None:
    """Write all trials of the study's file to model.trials."""
    rows = [_row(search, tried) for tried in study.tried()]
    frame = run.spark.createDataFrame(rows, tables.TRIALS.schema)
    run.store.replace(tables.TRIALS, frame, where=f"study = '{search.study}'")


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


def _announce(search: Search, best: Tried) -> None:
    """Print the best settings, and write them as a file that --config takes."""
    k = search.base.validation.k
    title = f"NDCG@{k} {best.outcome.metric:.4f} on held-out pairs: trial {best.trial}"
    tuned = pick_train(change_train(search.base, best.settings), ["train.model", *best.settings])
    text = f"# {title} of study {search.study}\n{yaml.safe_dump(tuned, sort_keys=False)}"
    search.folder.write("best.yaml", text.encode())
    path = search.folder.path("best.yaml")
    console.print(f"best: {title}")
    for name, value in best.settings.items():
        console.print(escape(f"  {name}: {json.dumps(value)}"))
    # Settings are read before Spark starts, so from local files only.
    use = "a local copy of it by --config" if is_url(path) else f"--config {path}"
    console.print(f"written to {path}; add {use} to train with it", soft_wrap=True)


JOB = Job(
    name="tune",
    help="tries settings of train on a validation part; writes the best as YAML",
    run=run,
    reads=(tables.EDGES, tables.GRAPH_VERSIONS),
    writes=(tables.TRIALS,),
    settings=("train", "tune"),
    always=True,  # the study is its own ledger, and a run may end by its time limit
)
