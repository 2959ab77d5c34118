"""Ensemble of models: their weighted sum of scores, with weights learnt on validation pairs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial, reduce
from typing import Protocol, runtime_checkable

import structlog
from pyspark import StorageLevel
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from interest_graph.config.train import TrainConfig
from interest_graph.errors import ConfigError
from interest_graph.item_weights import weighted_sum
from interest_graph.plugins import file_name
from interest_graph.train.edges import EdgeCounts, count_edges, fits_memory, hold_out_edges
from interest_graph.train.fitted import FittedModel, Model
from interest_graph.train.registry import make_model
from interest_graph.train.shared_fits import SharedFits
from interest_graph.train.tuning.filter_bank import FilterGrid, FilterSum
from interest_graph.train.tuning.validation import Ranking, log_of, rank_held_out

# Name of the filters that a blend has chosen, among its sources; no model has it.
_FILTERS = "filters"
# What stands in for a source that one worker has no memory for.
_DISTRIBUTED = {"chebyshev": "spectral", "implicit_als": "als"}


@runtime_checkable
class EarlyStopping(Protocol):
    """A model that stops training when the metric on the validation pairs no longer rises.

    Its final vectors include the validation pairs, unless `without_validation`. A second fit to the
    same pairs with the same work_dir resumes from the checkpoints and trains no further round.
    """

    def without_validation(self) -> Model:
        """The same model, but with final vectors that do not include the validation pairs."""
        ...


@runtime_checkable
class FilterFamily(Protocol):
    """A model whose many settings are all scored, for the validation users alone, without a fit."""

    @property
    def grid(self) -> FilterGrid:
        """The settings to choose from."""
        ...

    def with_filters(self, filters: FilterSum) -> Model:
        """The model that is the weighted sum of these filters."""
        ...


@dataclass(frozen=True)
class Blend:
    """score(u, i) = sum over the source models of weight * score, all fitted to the same edges.

    1. Fit every source without the validation pairs. 2. Learn the weights from their scores of the
    validation pairs (tuning/ensemble_weights.py), or take those configured. 3. Fit the sources with
    a weight above 0 to all pairs. A model that trains in rounds trains in step 1 only: step 3
    resumes from its checkpoints and computes the final vectors anew. Of a family of filters the
    good ones of each degree exponent are a source, and none of them is fitted before step 3.
    sources: names of models; None for those of train.blend. fits: choices and fits of step 3 that
    other models share.
    """

    spark: SparkSession
    config: TrainConfig
    work_dir: str
    name: str = "blend"
    sources: Callable[[EdgeCounts], Sequence[str]] | None = None
    fits: SharedFits | None = None

    def with_fits(self, fits: SharedFits) -> Blend:
        """The same model, which takes from `fits` what was fitted to the same pairs."""
        return replace(self, fits=fits)

    def fit(self, edges: DataFrame, validation: DataFrame | None = None) -> FittedModel:
        """Fit to edges and validation pairs; without the latter, learn weights on held-out edges.

        Where no edge can be held out, the model is the first source at the first of its settings.
        Raises ConfigError when no source fits train.worker_mb, TrainingError without edges.
        """
        given = self.config.blend.weights
        if given is not None and self.sources is None:
            weighed = [(name, self._make(name), weight) for name, weight in given.items()]
            return self._fit_and_blend(weighed, self._fits_of(edges, validation))
        names = self._sources_that_fit(count_edges(edges))
        known, held_out = (edges, validation) if validation else _hold_out(edges, self.config)
        if held_out.isEmpty():
            structlog.get_logger().warning("nothing to learn weights on", model=names[0])
            alone = [(names[0], self._make(names[0]), 1.0)]
            return self._fit_and_blend(alone, self._fits_of(edges, None))
        fits = self._fits_of(known, held_out)
        made = {name: self._make(name) for name in names}
        family = next((each for each in made.values() if isinstance(each, FilterFamily)), None)
        models = {n: fits.tuned(n, each) for n, each in made.items() if each is not family}
        validation_config, seed = self.config.validation, self.config.seed
        with ExitStack() as held:
            tried = [
                held.enter_context(_fit_without_validation(name, model, fits, known, held_out))
                for name, model in models.items()
            ]
            grid = family.grid if family else None
            with _logging_seconds("ranked held-out pairs", self.name):
                ranking = rank_held_out(tried, known, held_out, validation_config, seed, grid)
        _log_weights(list(models), ranking)
        of_models = zip(models.items(), ranking.weights, strict=True)
        sources = [(name, model, weight) for (name, model), weight in of_models if weight > 0]
        filters = [
            (settings, weight * share)
            for of_exponent, weight in ranking.filters
            for settings, share in of_exponent
            if weight > 0
        ]
        if family and filters:
            sources.append((_FILTERS, family.with_filters(filters), 1.0))
        log = log_of(self.spark, self.name, ranking.trials)
        return self._fit_and_blend(sources, fits, log)

    def _fit_and_blend(
        self,
        sources: Sequence[tuple[str, Model, float]],
        fits: SharedFits,
        log: DataFrame | None = None,
    ) -> FittedModel:
        """Fit the models and blend them; releasing the blend releases all but shared ones."""
        with ExitStack() as held:
            parts = []
            for name, model, weight in sources:
                with _logging_seconds("fitted", name):
                    parts.append((held.enter_context(fits.fit(name, model)), weight))
            blended = replace(blend(parts, log), name=self.name)
            blended.held.callback(held.pop_all().close)
        return blended

    def _sources_that_fit(self, counts: EdgeCounts) -> list[str]:
        """The configured sources without those that need more than train.worker_mb."""
        chosen = self.sources(counts) if self.sources else self.config.blend.sources
        names: list[str] = list(dict.fromkeys(chosen))
        for name in names:
            model = self._make(name)
            if not fits_memory(model, counts):
                structlog.get_logger().warning("left out of the blend: too large", model=name)
                names = [kept for kept in names if kept != name]
        if not names:
            raise ConfigError("blend.sources", "no source fits train.worker_mb")
        return names

    def _make(self, name: str) -> Model:
        return make_model(name, self.spark, self.config, f"{self.work_dir}/{file_name(name)}")

    def _fits_of(self, edges: DataFrame, validation: DataFrame | None) -> SharedFits:
        """The shared fits where they are of these frames, else none yet."""
        if self.fits is not None and self.fits.are_of(edges, validation):
            return self.fits
        return SharedFits(edges, validation)


def auto(spark: SparkSession, config: TrainConfig, work_dir: str) -> Blend:
    """The default model: the blend of the sources of train.auto that suit the graph's size.

    The stacking rule is bagged ensemble selection (tuning/ensemble_weights.py).
    """
    return Blend(
        spark, config, work_dir, name="auto", sources=partial(_auto_sources, spark, config)
    )


def _auto_sources(spark: SparkSession, config: TrainConfig, counts: EdgeCounts) -> list[str]:
    """train.auto.sources without what would take too long or only repeat another source."""
    names: list[str] = list(config.auto.sources)
    for name, distributed in _DISTRIBUTED.items():
        if name in names and not fits_memory(make_model(name, spark, config, ""), counts):
            names.append(distributed)
    if "lightgcn" in names and lightgcn_minutes(counts, config) > config.auto.minutes:
        names.remove("lightgcn")
    return names


def lightgcn_minutes(counts: EdgeCounts, config: TrainConfig) -> float:
    """Expected minutes of training LightGCN for train.max_rounds on one core.

    Every step of train.batch_size pairs multiplies all edges, forth and back in each layer, by
    vectors: 57 million edges a second with 64 dimensions on one core of 2025 (docs/benchmarks.md).
    """
    visits = 4 * max(1, config.n_layers) * counts.n_edges
    second = visits * config.dimension / (57e6 * 64)
    steps = config.max_rounds * config.passes_per_round * counts.n_edges / config.batch_size
    return second * steps / 60


def blend(parts: Sequence[tuple[FittedModel, float]], log: DataFrame | None = None) -> FittedModel:
    """The weighted sum of the models' scores as one model.

    parts: (model, weight). A user's and an item's vectors are the models' vectors end to end, the
    item's scaled by the weights, so that their dot product is the weighted sum of the models' dot
    products. Item-item weights are added up. log: of the result; shards and partition are those of
    the first model that has them.
    """
    users = [model.user_vectors for model, _ in parts if model.user_vectors is not None]
    items = [
        model.item_vectors.withColumn("vector", _scaled("vector", weight))
        for model, weight in parts
        if model.item_vectors is not None
    ]
    weights = [
        (model.item_weights, weight) for model, weight in parts if model.item_weights is not None
    ]
    summed = weighted_sum(weights)
    blended = FittedModel(
        name="blend",
        user_vectors=_joined(users),
        item_vectors=_joined(items),
        item_weights=summed,
        log=log,
        shards=next((model.shards for model, _ in parts if model.shards is not None), None),
        partition=next((m.partition for m, _ in parts if m.partition is not None), None),
    )
    if len(weights) > 1 and summed is not None:
        blended.held.callback(summed.persist(StorageLevel.MEMORY_AND_DISK).unpersist)
    return blended


def _log_weights(names: Sequence[str], ranking: Ranking) -> None:
    """Log a line for each source with its weight and metric, and one for the blend."""
    log = structlog.get_logger()
    named = [*names, *(_description(each) for each, _ in ranking.filters)]
    weights = [*ranking.weights, *(weight for _, weight in ranking.filters)]
    *of_sources, of_blend = (trial.metric for trial in ranking.trials)
    for name, metric, weight in zip(named, of_sources, weights, strict=True):
        log.info("blending", source=name, metric=round(metric, 5), weight=round(weight, 5))
    log.info("blended", metric=round(of_blend, 5))


def _fit_without_validation(
    name: str, model: Model, fits: SharedFits, known: DataFrame, held_out: DataFrame
) -> FittedModel:
    """Fit to the known pairs; the held-out pairs at most decide when training stops."""
    with _logging_seconds("fitted without held-out pairs", name):
        if isinstance(model, EarlyStopping):
            with fits.timed(name):  # its rounds serve the final fit, too
                return model.without_validation().fit(known, held_out)
        return model.fit(known)


def _description(filters: FilterSum) -> str:
    best, n_filters = filters[0][0], len(filters)
    return f"{_FILTERS}: {best}" + (f" and {n_filters - 1} like it" if n_filters > 1 else "")


@contextmanager
def _logging_seconds(event: str, source: str) -> Iterator[None]:
    """Log the event with the seconds that the block took."""
    started = time.monotonic()
    yield
    seconds = round(time.monotonic() - started, 1)
    structlog.get_logger().info(event, source=source, seconds=seconds)


def _hold_out(edges: DataFrame, config: TrainConfig) -> tuple[DataFrame, DataFrame]:
    return hold_out_edges(edges, config.validation.fraction, config.seed)


def _scaled(column: str, weight: float) -> Column:
    return F.transform(column, lambda value: (value * F.lit(weight)).cast("float"))


def _joined(vectors: Sequence[DataFrame]) -> DataFrame | None:
    """Concatenate the vectors of all frames by key, with zeros where a frame lacks the key."""
    if len(vectors) < 2:
        return vectors[0] if vectors else None
    named = [frame.withColumnRenamed("vector", f"_{n}") for n, frame in enumerate(vectors)]
    joined = reduce(lambda left, right: left.join(right, "key", how="full"), named)
    widths = [_width(frame) for frame in vectors]
    zeros = [F.array_repeat(F.lit(0.0).cast("float"), width) for width in widths]
    filled = [F.coalesce(f"_{n}", zero) for n, zero in enumerate(zeros)]
    return joined.select("key", F.concat(*filled).alias("vector"))


def _width(vectors: DataFrame) -> int:
    first = vectors.first()
    return len(first["vector"]) if first is not None else 0
