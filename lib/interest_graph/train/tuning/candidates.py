"""Settings of a model compared on validation pairs, all of them in one worker."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TypeVar

import pyarrow as pa
from pyspark.sql import DataFrame
from scipy import sparse

from interest_graph.config.models import ValidationConfig
from interest_graph.config.train import TrainConfig
from interest_graph.device import several_threads
from interest_graph.train.distributed.errors import worker_errors
from interest_graph.train.distributed.slots import cores_of_lone_task
from interest_graph.train.edges import with_validation
from interest_graph.train.kernels.matrix import read_interactions
from interest_graph.train.kernels.ranking import mean_ndcg, sample_users
from interest_graph.train.tuning.ensemble_weights import Score
from interest_graph.train.tuning.validation import TRIAL_COLUMNS, Trial

_Settings = TypeVar("_Settings")


def try_candidates(
    candidates: Sequence[_Settings],
    score_of: Callable[[sparse.csr_matrix, _Settings], Score],
    edges: DataFrame,
    validation: DataFrame,
    config: TrainConfig,
) -> tuple[Trial, ...]:
    """NDCG of each candidate on the validation pairs; one Spark job of one task.

    score_of: fits to R float32 [n_users, n_items] with the settings and returns the score function.
    """
    compute = partial(
        _try_all,
        candidates=candidates,
        score_of=score_of,
        validation=config.validation,
        seed=config.seed,
        n_threads=cores_of_lone_task(edges.sparkSession),
    )
    pairs = with_validation(edges, validation).repartition(1)
    with worker_errors():
        rows = pairs.mapInArrow(compute, TRIAL_COLUMNS).collect()  # one row a candidate
    return tuple(Trial(**row.asDict()) for row in rows)


def best_of(trials: Sequence[Trial]) -> int:
    """Number of the candidate with the highest NDCG, of equal ones the first."""
    return max(trials, key=lambda trial: (trial.metric, -trial.trial)).trial


def _try_all(
    batches: Iterator[pa.RecordBatch],
    *,
    candidates: Sequence[_Settings],
    score_of: Callable[[sparse.csr_matrix, _Settings], Score],
    validation: ValidationConfig,
    seed: int,
    n_threads: int,
) -> Iterator[pa.RecordBatch]:
    interactions = read_interactions(batches)
    seen, n_held_out = interactions.matrix, interactions.n_held_out
    users = sample_users(n_held_out, at_most=validation.users, seed=seed)
    for number, settings in enumerate(candidates):
        started = time.monotonic()
        with several_threads(n_threads):
            score = score_of(seen, settings)
            metric = mean_ndcg(score, seen, interactions.held_out, n_held_out, users, validation.k)
        peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        trial = Trial(number, metric, time.monotonic() - started, peak_mb)
        yield pa.RecordBatch.from_pylist([vars(trial)])
