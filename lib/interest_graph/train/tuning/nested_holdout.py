"""Nested hold-out: edges that the trials of a study are fitted to, and edges that compare them."""

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
    """The edges of a graph, split twice: frames of user_id, item_id, weight, cached.

    held_out: compares the trials and is never fitted to; known: all other edges. fit_edges,
    validation: `known` split again, for early stopping and blend weights within a trial.
    """

    known: DataFrame
    held_out: DataFrame
    fit_edges: DataFrame
    validation: DataFrame


@contextmanager
def nest_holdout(edges: DataFrame, config: TrainConfig) -> Iterator[NestedHoldout]:
    """Split edges twice, by train.validation.fraction and train.seed; cached within the block."""
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
