"""Course of a training in rounds, and when it is over: the same for driver and workers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from interest_graph.train.kernels.worker_epoch import EpochPlan

Reports = list[dict[str, float]]


@dataclass
class Progress:
    """Course of the training so far, stored in the checkpoint.

    last: the last finished round, 0 before the first; metrics: validation NDCG by round; reports:
    by round one dict a shard as from `report_of`; seconds: wall time by round; kept_in: by round,
    the round whose folder holds its rows, where that is not its own.
    """

    last: int = 0
    metrics: dict[int, float] = field(default_factory=dict)
    reports: dict[int, Reports] = field(default_factory=dict)
    seconds: dict[int, float] = field(default_factory=dict)
    kept_in: dict[int, int] = field(default_factory=dict)

    @property
    def best(self) -> int:
        """The round with the highest metric, the earlier of equals; without metrics the last."""
        if not self.metrics:
            return self.last
        return max(self.metrics, key=lambda number: (self.metrics[number], -number))

    def measure(self, reports: Reports) -> None:
        """Record the metric of the last round, from all shards' reports; none without users."""
        n_users = sum(report["n_validation_users"] for report in reports)
        if n_users:
            self.metrics[self.last] = sum(report["ndcg_sum"] for report in reports) / n_users

    def advance(self, reports: Reports, seconds: float) -> None:
        """Record one more round."""
        self.last += 1
        self.reports[self.last] = reports
        self.seconds[self.last] = seconds

    @staticmethod
    def from_json(recorded: Mapping[str, Any]) -> Progress:
        """Progress from what a checkpoint recorded: JSON keys are text, rounds are numbers."""
        by_round = ("metrics", "reports", "seconds", "kept_in")
        keyed = {
            name: {int(n): value for n, value in recorded.get(name, {}).items()}
            for name in by_round
        }
        return Progress(last=recorded["last"], **keyed)


@dataclass(frozen=True)
class Schedule:
    """What every round does, and how many rounds there are.

    plan: settings of a round; learning_rates: of rounds 1 to max_rounds; patience: training stops
    when validation NDCG has not risen for so many rounds; is_validated: whether pairs are held out.
    """

    plan: EpochPlan
    learning_rates: tuple[float, ...]
    patience: int
    is_validated: bool

    @property
    def max_rounds(self) -> int:
        """Train at most so many rounds."""
        return len(self.learning_rates)

    def plan_of(self, number: int) -> EpochPlan:
        """Settings of round `number`; after the last round nothing is trained."""
        if number > self.max_rounds:
            return replace(self.plan, number=number, n_passes=0)
        return replace(self.plan, number=number, learning_rate=self.learning_rates[number - 1])

    def is_over(self, progress: Progress) -> bool:
        """Whether no round is left to train; the last one may still have to be measured."""
        return progress.last >= self.max_rounds

    def is_done(self, progress: Progress) -> bool:
        """Whether training has ended."""
        is_stale = progress.last - progress.best >= self.patience
        is_measured = not self.is_validated or progress.last in progress.metrics
        if not self.is_validated and _was_idle(progress):
            return True
        return (self.is_over(progress) and is_measured) or (bool(progress.metrics) and is_stale)


def is_finite(reports: Reports) -> bool:
    """Whether every shard's loss is a number."""
    return all(math.isfinite(report["loss"]) for report in reports)


def _was_idle(progress: Progress) -> bool:
    """Whether no shard had a pair to learn from in the last round: its users have every item."""
    reports = progress.reports.get(progress.last, [])
    return bool(reports) and all(report["loss"] == 0.0 for report in reports)
