"""A study goes on after a kill as if nothing had happened."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from interest_graph.config import TuneConfig
from interest_graph.errors import ConflictError
from interest_graph.folders import LocalFolder, open_folder
from interest_graph.train.tuning.study import (
    COMPLETE,
    FAILED,
    INTERRUPTED,
    PRUNED,
    Outcome,
    PrunedTrial,
    open_study,
)

ROOT = Path(__file__).parents[3]
SPACE = {
    "train.learning_rate": {"kind": "float", "low": 0.001, "high": 1, "log": True},
    "train.n_layers": {"kind": "int", "low": 1, "high": 4},
    "train.blend.sources": {"kind": "categorical", "choices": [["ease"], ["ease", "als"]]},
}
CONFIG = TuneConfig.model_validate({"space": SPACE, "prune_after": 1})


def metric_of(settings):
    return settings["train.n_layers"] / 10 - abs(settings["train.learning_rate"] - 0.1)


def go_on(folder, until, drop=()):
    """Run trials until there are so many; at the places in `drop` the process ends in mid-trial."""
    folder = LocalFolder(folder) if isinstance(folder, Path) else folder
    with open_study(folder, "s", CONFIG) as study:
        while study.n_finished < until:
            draw = study.draw()
            if draw.place in drop:
                return study.tried()
            study.finish(draw, Outcome(COMPLETE, metric_of(draw.settings), 1.0, 2.0))
        return study.tried()


def test_an_interrupted_trial_keeps_its_row_and_its_place_is_drawn_again(tmp_path):
    undisturbed = go_on(tmp_path / "a", until=13)  # from the 11th on, the sampler has learnt

    for place in (2, 12):
        go_on(tmp_path / "b", until=13, drop=(place,))
    resumed = go_on(tmp_path / "b", until=13)

    ended = [tried for tried in resumed if tried.outcome.state != INTERRUPTED]
    assert [tried.trial for tried in resumed if tried not in ended] == [2, 13]
    assert [tried.settings for tried in ended] == [tried.settings for tried in undisturbed]
    assert len({str(tried.settings) for tried in ended}) == 13


def test_a_process_killed_in_mid_trial_neither_locks_nor_loses_the_study(tmp_path):
    go_on(tmp_path, until=1)
    code = (
        "import sys, time; from pathlib import Path; from tests.train.tuning.test_study import *\n"
        "with open_study(LocalFolder(Path(sys.argv[1])), 's', CONFIG) as study:\n"
        "    draw = study.draw(); print(draw.place, flush=True); time.sleep(600)"
    )
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": path},
        stdout=subprocess.PIPE,
    )
    assert process.stdout.readline() == b"1\n"
    process.send_signal(signal.SIGKILL)
    process.wait()

    killed, again = go_on(tmp_path, until=2)[1:]

    assert (killed.outcome.state, again.outcome.state) == (INTERRUPTED, COMPLETE)
    assert killed.settings == again.settings


def test_what_a_killed_process_had_recorded_counts(tmp_path):
    with open_study(LocalFolder(tmp_path), "s", CONFIG) as study:
        draw = study.draw()
        draw.trial.set_user_attr("outcome", vars(Outcome(COMPLETE, 0.5, 1.0, 2.0)))

    assert [tried.outcome.metric for tried in go_on(tmp_path, until=1)] == [0.5]


def test_a_second_process_is_refused(tmp_path):
    with (
        open_study(LocalFolder(tmp_path), "s", CONFIG),
        pytest.raises(ConflictError, match="study s: another process works on it"),
        open_study(LocalFolder(tmp_path), "s", CONFIG),
    ):
        pass


def test_a_study_at_a_url_goes_on_in_another_process(spark, remote):
    go_on(open_folder(spark, remote), until=2, drop=(1,))

    killed, again = go_on(open_folder(spark, remote), until=2)[1:]

    assert (killed.outcome.state, again.outcome.state) == (INTERRUPTED, COMPLETE)
    assert killed.settings == again.settings
    assert open_folder(spark, remote).names() == ["study.db"]


def test_of_two_processes_at_a_url_the_one_that_comes_second_to_write_is_refused(spark, remote):
    with open_study(open_folder(spark, remote), "s", CONFIG) as first:
        draw = first.draw()
        with open_study(open_folder(spark, remote), "s", CONFIG) as second:
            with pytest.raises(ConflictError, match="study s: another process works on it"):
                first.finish(draw, Outcome(COMPLETE, 0.5))
            second.finish(second.draw(), Outcome(COMPLETE, 0.6))

    found = go_on(open_folder(spark, remote), until=1)
    assert [tried.outcome.metric for tried in found] == [None, 0.6]


def test_a_trial_below_the_median_of_its_round_ends(tmp_path):
    with open_study(LocalFolder(tmp_path), "s", CONFIG) as study:
        for metric in (0.5, 0.6, 0.7):
            draw = study.draw()
            for number in (0, 1, 2):
                draw.report(number, metric)
            study.finish(draw, Outcome(COMPLETE, metric))
        draw = study.draw()
        draw.report(0, 0.1)  # before prune_after
        with pytest.raises(PrunedTrial, match="after round 1"):
            draw.report(1, 0.1)
        study.finish(draw, Outcome(PRUNED))
        study.finish(study.draw(), Outcome(FAILED, error="diverged"))

        assert study.counts() == {COMPLETE: 3, PRUNED: 1, FAILED: 1}
        assert study.n_finished == 5
        assert study.best().trial == 2
