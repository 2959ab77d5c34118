"""Training on shards in rounds, each one a Spark job that ends with an exchange of item state."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from interest_graph.arrays import Arrays, shipping
from interest_graph.errors import TrainingError
from interest_graph.train.distributed.all_reduce import item_sums, run_on_shards
from interest_graph.train.distributed.array_codec import PACKED_COLUMNS
from interest_graph.train.distributed.checkpoint import Checkpoints
from interest_graph.train.distributed.errors import worker_errors
from interest_graph.train.distributed.sharded_graph import ShardedGraph
from interest_graph.train.kernels.sparse import CSR_NAMES, HELD_NAMES
from interest_graph.train.kernels.worker_epoch import (
    STATE_NAMES,
    EpochPlan,
    report_of,
    start_shard,
    train_shard,
)

_LOG = "log_"


@dataclass
class Progress:
    """Course of the training so far, stored in the checkpoint.

    last: the last finished round, 0 before the first; metrics: validation NDCG by round; reports:
    by round one dict a shard as from `report_of`; seconds: wall time by round.
    """

    last: int = 0
    metrics: dict[int, float] = field(default_factory=dict)
    reports: dict[int, list[dict[str, float]]] = field(default_factory=dict)
    seconds: dict[int, float] = field(default_factory=dict)

    @property
    def best(self) -> int:
        """The round with the highest metric, the earlier of equals; without metrics the last."""
        if not self.metrics:
            return self.last
        return max(self.metrics, key=lambda number: (self.metrics[number], -number))


@dataclass(frozen=True)
class Trainer:
    """Trains one model in rounds until validation NDCG has not risen for `patience` rounds.

    plan: settings of a round; max_rounds: train at most so many. on_round: called with the number
    of each finished round and the progress; learning_rate_share: factor of the learning rate by
    round number.
    """

    graph: ShardedGraph
    plan: EpochPlan
    checkpoints: Checkpoints
    max_rounds: int
    patience: int
    on_round: Callable[[int, Progress], None] = lambda *_: None
    learning_rate_share: Callable[[int], float] = lambda _: 1.0

    def run(self, start: Callable[[], Arrays]) -> Progress:
        """Train until the end; resume after the last round in `checkpoints` if there is one.

        start: returns the item arrays before round 1 (`items`, maybe `users_from`; see
        `start_shard`); called only when nothing is resumed. Raises TrainingError for a loss that is
        not finite.
        """
        recorded = self.checkpoints.resume()
        progress = _from_json(recorded) if recorded else self._begin(start())
        while not self._is_done(progress):
            before = progress.last
            self._advance(progress)
            if progress.last > before:
                self.on_round(progress.last, progress)
        return progress

    def shards(self, number: int) -> DataFrame:
        """The shards' states after round `number`, as PACKED_COLUMNS."""
        reader = self.graph.spark.read.schema(PACKED_COLUMNS)
        return reader.parquet(self.checkpoints.shards_path(number))

    def _begin(self, start: Arrays) -> Progress:
        kernel = partial(start_shard, plan=self.plan)
        sums = self._run(0, kernel, start, state=None)
        progress = Progress()
        self._commit(progress, {"items": start["items"], "totals": sums["own"]})
        return progress

    def _is_done(self, progress: Progress) -> bool:
        is_stale = progress.last - progress.best >= self.patience
        is_measured = not self.graph.has_held_out or progress.last in progress.metrics
        if not self.graph.has_held_out and _was_idle(progress):
            return True
        return (progress.last >= self.max_rounds and is_measured) or (
            bool(progress.metrics) and is_stale
        )

    def _advance(self, progress: Progress) -> None:
        """Measure the last round, train the next, in one Spark job; after max_rounds measure only.

        A round is measured by the next job, because its item vectors are the sum over all shards,
        known only once the round is over.
        """
        started, number = time.monotonic(), progress.last + 1
        is_over = progress.last >= self.max_rounds
        plan = replace(
            self.plan,
            number=number,
            n_passes=0 if is_over else self.plan.n_passes,
            learning_rate=self.plan.learning_rate * self.learning_rate_share(number),
        )
        before = self.checkpoints.items(progress.last)
        state = self.shards(progress.last).where(F.col("name").isin(*STATE_NAMES))
        sums = self._run(number, partial(train_shard, plan=plan), before, state)
        reports = [report_of(sums[f"{_LOG}{shard}"]) for shard in range(self.graph.n_shards)]
        self._measure(progress, reports)
        if is_over:
            self.checkpoints.record(asdict(progress))
            return
        _require_finite(reports)
        progress.last = number
        progress.reports[number] = reports
        progress.seconds[number] = time.monotonic() - started
        self._commit(progress, {"items": before["items"] + sums["delta"], "totals": sums["own"]})

    def _run(self, number: int, kernel: Any, shared: Arrays, state: DataFrame | None) -> Arrays:
        """Call the kernel on every shard, write the new states, return sums over the shards.

        shared: item-level arrays for every shard; state: the last states, None at the start.
        Returns the sums of own and delta, and each shard's log under log_<shard_id>.
        """
        with shipping(self.graph.spark, shared) as shipped:
            names = (*CSR_NAMES, *HELD_NAMES)
            rows = run_on_shards(self.graph, kernel, shipped, names, state)
            path = self.checkpoints.shards_path(number)
            # Trained floats neither compress nor repeat: both encodings would only cost time.
            writer = rows.write.mode("overwrite").option("compression", "none")
            with worker_errors():
                writer.option("parquet.enable.dictionary", "false").parquet(path)
        exchanged = F.col("name").isin("own", "delta") | F.col("name").startswith(_LOG)
        return item_sums(self.shards(number).where(exchanged))

    def _measure(self, progress: Progress, reports: list[dict[str, float]]) -> None:
        n_users = sum(report["n_validation_users"] for report in reports)
        if n_users:
            total = sum(report["ndcg_sum"] for report in reports)
            progress.metrics[progress.last] = total / n_users

    def _commit(self, progress: Progress, items: Arrays) -> None:
        self.checkpoints.commit(progress.last, items, asdict(progress))
        self.checkpoints.forget_all_but(progress.last, progress.last - 1, progress.best)


def _from_json(recorded: dict[str, Any]) -> Progress:
    """Progress from what a checkpoint recorded: JSON keys are text, rounds are numbers."""
    by_round = ("metrics", "reports", "seconds")
    keyed = {name: {int(n): value for n, value in recorded[name].items()} for name in by_round}
    return Progress(last=recorded["last"], **keyed)


def _was_idle(progress: Progress) -> bool:
    """Whether no shard had a pair to learn from in the last round: its users have every item."""
    reports = progress.reports.get(progress.last, [])
    return bool(reports) and all(report["loss"] == 0.0 for report in reports)


def _require_finite(reports: list[dict[str, float]]) -> None:
    for shard_id, report in enumerate(reports):
        if not math.isfinite(report["loss"]):
            raise TrainingError(
                f"the loss is {report['loss']}; lower train.learning_rate", shard_id
            )


def log_rows(model: str, progress: Progress) -> list[tuple[Any, ...]]:
    """Rows of model.training_log without model_run: by round, one a shard and one with shard_id -1.

    Columns as in LOG_COLUMNS; -1 has the mean loss, the metric and the highest peak memory.
    """
    rows: list[tuple[Any, ...]] = []
    for number, reports in progress.reports.items():
        for shard_id, report in enumerate(reports):
            seconds, memory = report["seconds"], report["peak_memory_mb"]
            rows.append((model, number, shard_id, report["loss"], None, seconds, memory))
        loss = float(np.mean([report["loss"] for report in reports]))
        memory = max(report["peak_memory_mb"] for report in reports)
        metric = progress.metrics.get(number)
        rows.append((model, number, -1, loss, metric, progress.seconds[number], memory))
    return rows
