"""Training on shards in rounds, which end with an exchange of item state.

A round is a Spark job, or many rounds are one barrier job with resident workers: the same rounds,
the same checkpoints.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np
import structlog
from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from interest_graph.arrays import Arrays, shipping
from interest_graph.errors import TrainingError, one_line
from interest_graph.train.distributed.all_reduce import item_sums, run_on_shards
from interest_graph.train.distributed.checkpoint import Checkpoints
from interest_graph.train.distributed.errors import worker_errors
from interest_graph.train.distributed.progress import Progress, Reports, Schedule, is_finite
from interest_graph.train.distributed.resident import (
    ROUND_COLUMNS,
    Outcome,
    outcome,
    segment_rows,
)
from interest_graph.train.distributed.sharded_graph import ShardedGraph
from interest_graph.train.kernels.sparse import CSR_NAMES, HELD_NAMES
from interest_graph.train.kernels.worker_epoch import (
    STATE_NAMES,
    KeptShard,
    report_of,
    start_shard,
    train_shard,
)

_LOG = "log_"
_ATTEMPTS = 4  # of a barrier job, as many as Spark tries a task on a cluster
_CANCELLED = re.compile(r"\b[Jj]ob \d+ cancelled")


@dataclass(frozen=True)
class Trainer:
    """Trains one model in rounds until the schedule says that it is done.

    on_round: called with the number of each finished round and the progress; n_tasks: number of
    resident workers, None to make each round a job; checkpoint_seconds: how long resident workers
    train before their rounds are stored, and on_round hears of them.
    """

    graph: ShardedGraph
    schedule: Schedule
    checkpoints: Checkpoints
    on_round: Callable[[int, Progress], None] = lambda *_: None
    n_tasks: int | None = None
    checkpoint_seconds: float = 60.0

    def run(self, start: Callable[[], Arrays]) -> Progress:
        """Train until the end; resume after the last round in `checkpoints` if there is one.

        start: returns the item arrays before round 1 (`items`, maybe `users_from`; see
        `start_shard`); called only when nothing is resumed. Raises TrainingError for a loss that is
        not finite, and where resident workers were lost as often as Spark tries them.
        """
        recorded = self.checkpoints.resume()
        progress = Progress.from_json(recorded) if recorded else self._begin(start())
        while not self.schedule.is_done(progress):
            progress = self._advance(progress)
        return progress

    def shards(self, number: int, progress: Progress) -> DataFrame:
        """The shards' states after round `number`, as PACKED_COLUMNS."""
        rows = self._rows_in(progress.kept_in.get(number, number))
        return rows.where(F.col("round") == number).drop("round")

    def _begin(self, start: Arrays) -> Progress:
        progress = Progress()
        if self.n_tasks:
            return self._run_segment(progress, start)
        sums = self._run_round(0, partial(start_shard, plan=self.schedule.plan), start, state=None)
        self._commit(progress, {0: {"items": start["items"], "totals": sums["own"]}})
        return progress

    def _advance(self, progress: Progress) -> Progress:
        if self.n_tasks:
            return self._run_segment(progress, None)
        before = progress.last
        self._train_round(progress)
        self._tell(before, progress)
        return progress

    def _tell(self, before: int, progress: Progress) -> None:
        for number in range(before + 1, progress.last + 1):
            self.on_round(number, progress)

    def _train_round(self, progress: Progress) -> None:
        """Measure the last round, train the next, in one Spark job; after max_rounds measure only.

        A round is measured by the next job, because its item vectors are the sum over all shards,
        known only once the round is over.
        """
        started, number = time.monotonic(), progress.last + 1
        before = self.checkpoints.items(progress.last)
        kernel = partial(train_shard, plan=self.schedule.plan_of(number))
        sums = self._run_round(number, kernel, before, self._state(progress))
        reports = [report_of(sums[f"{_LOG}{shard}"]) for shard in range(self.graph.n_shards)]
        progress.measure(reports)
        if self.schedule.is_over(progress):
            self.checkpoints.record(asdict(progress))
            return
        _require_finite(reports)
        progress.advance(reports, time.monotonic() - started)
        items = before["items"] + sums["delta"]
        self._commit(progress, {number: {"items": items, "totals": sums["own"]}})

    def _run_round(
        self, number: int, kernel: Any, shared: Arrays, state: DataFrame | None
    ) -> Arrays:
        """Call the kernel on every shard, write the new states, return sums over the shards.

        shared: item-level arrays for every shard; state: the last states, None at the start.
        Returns the sums of own and delta, and each shard's log under log_<shard_id>.
        """
        with shipping(self.graph.spark, shared) as shipped:
            names = (*CSR_NAMES, *HELD_NAMES)
            rows = run_on_shards(self.graph, kernel, shipped, names, state)
            with worker_errors():
                self._write(rows.withColumn("round", F.lit(number)), number)
        exchanged = F.col("name").isin("own", "delta") | F.col("name").startswith(_LOG)
        return item_sums(self._rows_in(number).where(exchanged))

    def _run_segment(self, progress: Progress, start: Arrays | None) -> Progress:
        """Have resident workers train on from the last round, or from the start; one job."""
        first = progress.last
        is_start = start is not None
        shared = start if start is not None else self.checkpoints.items(first)
        place = first + 1
        with shipping(self.graph.spark, shared) as shipped:
            rows = segment_rows(
                self.graph,
                shipped,
                self.schedule,
                progress,
                None if is_start else self._state(progress),
                n_tasks=self.n_tasks or 1,
                seconds=self.checkpoint_seconds,
                make=KeptShard,
            )
            self._write_with_patience(rows, place)
        reached = outcome(self._rows_in(place))
        if reached.diverged:
            _require_finite(reached.diverged)
        return self._take_over(first, place, reached)

    def _write_with_patience(self, rows: DataFrame, place: int) -> None:
        """Write the rows of a barrier job; Spark itself does not start one again that writes."""
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                with worker_errors():
                    self._write(rows, place)
                return
            except (PySparkException, Py4JJavaError) as error:
                reason = one_line(error).removeprefix(f"{type(error).__name__}: ")
                is_last = attempt == _ATTEMPTS or _CANCELLED.search(str(error))
                if is_last:
                    raise TrainingError(
                        f"resident workers failed, the last of {attempt} times by: {reason}; "
                        "the next run goes on after the last stored round"
                    ) from None
                structlog.get_logger().warning("resident workers are started again", reason=reason)

    def _take_over(self, first: int, place: int, reached: Outcome) -> Progress:
        """Store what a segment reached, which went on from round `first`; returns its progress."""
        progress = reached.progress
        progress.kept_in |= dict.fromkeys(reached.items, place)
        if progress.last > first:
            self._commit(progress, reached.items)
            self._tell(first, progress)
        else:
            self.checkpoints.record(asdict(progress))
        return progress

    def _state(self, progress: Progress) -> DataFrame:
        return self.shards(progress.last, progress).where(F.col("name").isin(*STATE_NAMES))

    def _write(self, rows: DataFrame, number: int) -> None:
        # Trained floats neither compress nor repeat: both encodings would only cost time.
        writer = rows.write.mode("overwrite").option("compression", "none")
        writer = writer.option("parquet.enable.dictionary", "false")
        writer.parquet(self.checkpoints.shards_path(number))

    def _rows_in(self, number: int) -> DataFrame:
        reader = self.graph.spark.read.schema(ROUND_COLUMNS)
        return reader.parquet(self.checkpoints.shards_path(number))

    def _commit(self, progress: Progress, items: Mapping[int, Arrays]) -> None:
        """Make the last round the one to resume from; items: by round, to be stored with it."""
        kept = {progress.last, progress.last - 1, progress.best}
        progress.kept_in = {n: place for n, place in progress.kept_in.items() if n in kept}
        self.checkpoints.commit(items, asdict(progress))
        self.checkpoints.forget_all_but(*kept, *progress.kept_in.values())


def _require_finite(reports: Reports) -> None:
    for shard_id, report in enumerate(reports):
        if not is_finite([report]):
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
