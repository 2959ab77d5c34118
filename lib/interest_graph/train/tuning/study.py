"""A study of settings: tried one after another, kept in a file so that a killed study goes on."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import optuna
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.engine import URL

from interest_graph.config import Range, TuneConfig
from interest_graph.errors import TrainingError
from interest_graph.folders import Folder
from interest_graph.train.tuning.study_file import StudyFile, open_study_file

COMPLETE, PRUNED, FAILED, INTERRUPTED = "complete", "pruned", "failed", "interrupted"

_OUTCOME = "outcome"  # attribute of a trial in the file
_STATES = {
    COMPLETE: TrialState.COMPLETE,
    PRUNED: TrialState.PRUNED,
    FAILED: TrialState.FAIL,
    INTERRUPTED: TrialState.FAIL,
}


class PrunedTrial(Exception):
    """The trial is below the median of the others at the same round."""


@dataclass(frozen=True)
class Outcome:
    """How a trial ended; the metric is there when it is complete."""

    state: str
    metric: float | None = None
    seconds: float | None = None
    peak_memory_mb: float | None = None
    error: str | None = None


@dataclass(frozen=True)
class Tried:
    """A trial of the study: its number from 0, the settings by dotted name, how it ended."""

    trial: int
    settings: dict[str, Any]
    outcome: Outcome


class Draw:
    """Settings to try next."""

    def __init__(self, trial: optuna.Trial, place: int, space: Mapping[str, Range]) -> None:
        self.trial, self.place = trial, place
        self.settings = {name: _suggest(trial, name, values) for name, values in space.items()}

    def report(self, number: int, metric: float) -> None:
        """Record the metric after round `number`; raises PrunedTrial to end the trial early."""
        self.trial.report(metric, number)
        if self.trial.should_prune():
            raise PrunedTrial(f"below the median after round {number}")


class Study:
    """The trials of one search.

    The sampler is seeded anew for each place in the order of trials, so that a study goes on as if
    it had not been interrupted: an interrupted trial keeps its row, and its place is drawn again.
    """

    def __init__(self, file: StudyFile, config: TuneConfig) -> None:
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._config, self._file = config, file
        url = URL.create("sqlite", database=str(file.path)).render_as_string()
        self._storage = optuna.storages.RDBStorage(url)
        self._study = optuna.create_study(
            storage=self._storage,
            study_name=file.study,
            direction="maximize",
            load_if_exists=True,
            pruner=_pruner(config),
        )
        for trial in self._study.get_trials(states=(TrialState.RUNNING,)):
            self._finish_left(trial)
        file.keep()

    @property
    def n_finished(self) -> int:
        """Number of trials that have ended, without those that were interrupted."""
        counts = self.counts()
        return counts.total() - counts[INTERRUPTED]

    def counts(self) -> Counter[str]:
        """Number of trials by state."""
        return Counter(tried.outcome.state for tried in self.tried())

    def draw(self) -> Draw:
        """The next settings to try. Raises ConflictError, as `finish` does."""
        place = self.n_finished
        seed = int(np.random.SeedSequence([self._config.seed, place]).generate_state(1)[0])
        self._study.sampler = optuna.samplers.TPESampler(seed=seed)
        draw = Draw(self._study.ask(), place, self._config.space)
        self._file.keep()  # so that a trial that is killed is known
        return draw

    def finish(self, draw: Draw, outcome: Outcome) -> None:
        """Record how the trial ended. Raises ConflictError when another process took the study."""
        # Facts first: once a trial has ended its record cannot be changed.
        draw.trial.set_user_attr(_OUTCOME, vars(outcome))
        self._study.tell(draw.trial, outcome.metric, state=_STATES[outcome.state])
        self._file.keep()

    def tried(self) -> list[Tried]:
        """All trials that have ended, in order."""
        trials = self._study.get_trials(deepcopy=False)
        return [_tried(trial) for trial in trials if trial.state.is_finished()]

    def best(self) -> Tried:
        """The complete trial with the best metric, the earlier of two equals.

        Raises TrainingError when there is none.
        """
        tried = self.tried()
        complete = [each for each in tried if each.outcome.metric is not None]
        if complete:
            return max(complete, key=lambda each: each.outcome.metric or 0.0)
        errors = [each.outcome.error for each in tried if each.outcome.error]
        problem = f"no trial is complete; the last error: {errors[-1]}" if errors else "no trial"
        raise TrainingError(problem)

    def close(self) -> None:
        """Close the file of the study."""
        self._storage.remove_session()
        self._storage.engine.dispose()

    def _finish_left(self, trial: FrozenTrial) -> None:
        """End a trial that a killed process left running: as recorded, else as interrupted."""
        outcome = Outcome(**trial.user_attrs.get(_OUTCOME, {"state": INTERRUPTED}))
        study_id = self._storage.get_study_id_from_name(self._study.study_name)
        number = self._storage.get_trial_id_from_study_id_trial_number(study_id, trial.number)
        self._storage.set_trial_user_attr(number, _OUTCOME, vars(outcome))
        self._study.tell(trial.number, outcome.metric, state=_STATES[outcome.state])


@contextmanager
def open_study(folder: Folder, name: str, config: TuneConfig) -> Iterator[Study]:
    """The study in the folder, made when absent, for one process at a time.

    Trials that a killed process left unfinished are marked as interrupted. Raises ConflictError
    while another process works on the study: at once where the folder is local, elsewhere in the
    process that comes to its next trial after the other began.
    """
    with open_study_file(folder, name) as file:
        study = Study(file, config)
        try:
            yield study
        finally:
            study.close()


def _pruner(config: TuneConfig) -> optuna.pruners.BasePruner:
    if config.prune_after is None:
        return optuna.pruners.NopPruner()
    return optuna.pruners.MedianPruner(n_startup_trials=3, n_warmup_steps=config.prune_after)


def _suggest(trial: optuna.Trial, name: str, values: Range) -> Any:
    if values.choices is not None:
        # As JSON, because a choice may be a list and the file keeps plain values only.
        return json.loads(trial.suggest_categorical(name, list(map(json.dumps, values.choices))))
    low, high = values.extremes
    suggest = trial.suggest_int if values.kind == "int" else trial.suggest_float
    return suggest(name, low, high, log=values.log)


def _tried(trial: FrozenTrial) -> Tried:
    settings = {
        name: json.loads(value) if isinstance(value, str) else value
        for name, value in trial.params.items()
    }
    return Tried(trial.number, settings, Outcome(**trial.user_attrs[_OUTCOME]))
