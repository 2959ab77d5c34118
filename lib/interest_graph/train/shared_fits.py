"""Fits that several models ask for, each made once."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Protocol, Self, runtime_checkable

from pyspark.sql import DataFrame

from interest_graph.train.fitted import FittedModel, Model


@runtime_checkable
class Tunable(Protocol):
    """A model that compares several settings on validation pairs before it is fitted."""

    def tuned(self, edges: DataFrame, validation: DataFrame) -> Model:
        """The model fixed to the settings with the highest NDCG on the validation pairs."""
        ...


class SharedFits:
    """Models that were tuned on, and fitted to, the same edges and validation pairs, by name.

    later: names of the models that `last` will be called for. Their fits are kept in memory from
    their first use to that call; those of other models belong to whoever asks for them. Models of
    one name must have been made from the same settings.
    """

    def __init__(
        self, edges: DataFrame, validation: DataFrame | None, later: Iterable[str] = ()
    ) -> None:
        self._edges, self._validation = edges, validation
        self._later = set(later)
        self._choices: dict[str, Model] = {}
        self._fits: dict[str, FittedModel] = {}
        self._seconds: dict[str, float] = {}

    def are_of(self, edges: DataFrame, validation: DataFrame | None) -> bool:
        """Whether these are the very frames that the fits belong to."""
        return edges is self._edges and validation is self._validation

    def tuned(self, name: str, model: Model) -> Model:
        """The model with the settings that the validation pairs choose, if it has a choice."""
        if name not in self._choices:
            with self.timed(name):
                self._choices[name] = self._tuned(model)
        return self._choices[name]

    def fit(self, name: str, model: Model) -> FittedModel:
        """The model fitted to edges and validation pairs; release it after use."""
        if name not in self._later:
            return self._fit(name, model)
        if name not in self._fits:
            with self.timed(name):
                self._fits[name] = self._fit(name, model)
        return replace(self._fits[name], held=ExitStack())  # others still need what it holds

    def last(self, name: str, model: Model) -> FittedModel:
        """As `fit`, for the last time under this name: releasing it frees the memory."""
        self._later.discard(name)
        kept = self._fits.pop(name, None)
        return self._fit(name, model) if kept is None else kept

    def seconds_before(self, name: str) -> float:
        """Seconds that went into the choice and the kept fit of this name so far."""
        return self._seconds.get(name, 0.0)

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        """Count what the block takes as time for the model of this name."""
        started = time.monotonic()
        yield
        self._seconds[name] = self.seconds_before(name) + time.monotonic() - started

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Let go of the fits that `last` has not been called for."""
        for fitted in self._fits.values():
            fitted.release()
        self._fits.clear()

    def _tuned(self, model: Model) -> Model:
        if self._validation is None or not isinstance(model, Tunable):
            return model
        return model.tuned(self._edges, self._validation)

    def _fit(self, name: str, model: Model) -> FittedModel:
        return self._choices.get(name, model).fit(self._edges, self._validation)


@runtime_checkable
class FitsOthers(Protocol):
    """A model that fits other models, which it can share."""

    def with_fits(self, fits: SharedFits) -> Model:
        """The same model, which takes from `fits` what was fitted to the same pairs."""
        ...
