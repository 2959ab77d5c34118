"""What is fitted once, who releases it, and whose time it was; no Spark."""

from __future__ import annotations

import time

import pytest

from interest_graph.train.fitted import FittedModel
from interest_graph.train.shared_fits import SharedFits

EDGES, VALIDATION = object(), object()


class Noting:
    """A model that notes its fits and choices; what it fitted notes its release."""

    name = "noting"

    def __init__(self, notes=None, settings="any"):
        self.notes, self.settings = [] if notes is None else notes, settings

    def fit(self, edges, validation=None):
        assert (edges, validation) == (EDGES, VALIDATION)
        self.notes.append(f"fit {self.settings}")
        fitted = FittedModel(self.name)
        fitted.held.callback(self.notes.append, "released")
        return fitted

    def tuned(self, edges, validation):
        assert (edges, validation) == (EDGES, VALIDATION)
        self.notes.append("tuned")
        time.sleep(0.02)
        return Noting(self.notes, "best")


def test_a_fit_that_is_wanted_later_is_made_once_and_released_by_the_last():
    model = Noting()
    with SharedFits(EDGES, VALIDATION, later=["noting"]) as fits:
        with fits.fit("noting", model), fits.fit("noting", model):
            pass
        assert model.notes == ["fit any"]
        with fits.last("noting", model):
            assert model.notes == ["fit any"]
        assert model.notes == ["fit any", "released"]


def test_a_fit_that_nobody_else_wants_is_released_by_its_user():
    model = Noting()
    with SharedFits(EDGES, VALIDATION, later=["another"]) as fits:
        fits.fit("noting", model).release()

        assert model.notes == ["fit any", "released"]


def test_what_is_never_asked_for_again_is_released_at_the_end():
    model = Noting()
    with SharedFits(EDGES, VALIDATION, later=["noting"]) as fits:
        fits.fit("noting", model).release()
        assert model.notes == ["fit any"]

    assert model.notes == ["fit any", "released"]


def test_a_choice_is_made_once_and_serves_all_fits():
    model = Noting()
    with SharedFits(EDGES, VALIDATION, later=["noting"]) as fits:
        chosen = [fits.tuned("noting", model) for _ in range(2)]
        fits.last("noting", Noting(model.notes)).release()

        assert chosen[0] is chosen[1]
        assert model.notes == ["tuned", "fit best", "released"]
        assert 0.02 <= fits.seconds_before("noting") < 2
        assert fits.seconds_before("another") == 0


def test_without_validation_pairs_nothing_is_chosen():
    model = Noting()

    assert SharedFits(EDGES, None).tuned("noting", model) is model


@pytest.mark.parametrize(
    ("edges", "validation"), [(EDGES, object()), (object(), VALIDATION), (EDGES, None)]
)
def test_fits_are_of_their_very_edges(edges, validation):
    fits = SharedFits(EDGES, VALIDATION)

    assert fits.are_of(EDGES, VALIDATION)
    assert not fits.are_of(edges, validation)
