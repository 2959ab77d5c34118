"""A graph divided for the trials of a study: what they are fitted to, and what judges them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from pyspark.sql import DataFrame

from interest_graph.config import TrainConfig
from interest_graph.train.edges import hold_out_edges
from interest_graph.train.fitted import FittedModel
from interest_graph.train.tuning.validation import rank_held_out


@dataclass(frozen=True)
class NestedHoldout:
    """The pairs of a graph: user_id, item_id, weight, cached.

    known, held_out: no trial is fitted to the held-out pairs, which decide. fit_edges, validation:
    the known pairs, once more divided, for early stopping and blend weights within a trial.
    """

    known: DataFrame
    held_out: DataFrame
    fit_edges: DataFrame
    validation: DataFrame


@contextmanager
def nest_holdout(edges: DataFrame, config: TrainConfig) -> Iterator[NestedHoldout]:
    """The edges divided by train.validation.fraction and train.seed, while the block runs."""
    fraction, seed = config.validation.fraction, config.seed
    known, held_out = hold_out_edges(edges, fraction, seed)
    fit_edges, validation = hold_out_edges(known, fraction, seed)
    parts = [part.persist() for part in (known, held_out, fit_edges, validation)]
    try:
        yield NestedHoldout(*parts)
    finally:
        for part in parts:
            part.unpersist()


def held_out_ndcg(fitted: FittedModel, pairs: NestedHoldout, config: TrainConfig) -> float:
    """NDCG at train.validation.k on the held-out pairs."""
    ranking = rank_held_out([fitted], pairs.known, pairs.held_out, config.validation, config.seed)
    return ranking.trials[0].metric
